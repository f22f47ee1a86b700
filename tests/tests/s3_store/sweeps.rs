//! A hundred thousand objects: cleared and purged page by page, in bounded memory.

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use keyedcache::store::{Guard, S3Store, Store};
use keyedcache_tests::child::{Child, hear, role, say};
use keyedcache_tests::drive::wait;
use keyedcache_tests::s3::{Counts, Fault, Operation, Rule, S3Server};
use keyedcache_tests::stored::{key, record};

const MANY: usize = 100_000;

/// As much more memory as a sweep may take: a few pages, far from what a hundred thousand objects do.
const BOUND: u64 = 24 << 20;

/// What a child says now and then, so that it is not taken to hang.
const AT_IT: &str = "at it";

const URL: &str = "KEYEDCACHE_TESTS_ENDPOINT";

/// The most memory this process has had.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it is told");
    line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") << 10
}

fn store_of(endpoint: &str) -> S3Store {
    S3Store::builder("kept")
        .prefix("app")
        .endpoint(endpoint)
        .path_style(true)
        .credentials("AKIDTEST", "not-a-secret")
        .operation_timeout(Duration::from_secs(30))
        .build()
        .expect("the settings are valid")
}

/// The child: sweeps, and tells how many went and what that took.
fn sweep() {
    let store = store_of(&std::env::var(URL).expect("the test says where"));
    // What the first requests take for good is not a sweep's.
    wait(store.clear("nothing")).expect("the server answers");
    thread::spawn(|| {
        loop {
            thread::sleep(Duration::from_secs(1));
            say(AT_IT);
        }
    });
    let before = peak_memory();
    let went = if let Some("clear") = hear().as_deref() {
        wait(store.clear("many:")).expect("it is cleared")
    } else {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let progress = Arc::clone(&seen);
        let done = store.purge_expired(move |sweep| progress.lock().unwrap().push(sweep.seen));
        let done = wait(done).expect("it is purged");
        let seen = seen.lock().unwrap();
        assert!(seen.len() >= MANY / 1_000 && seen.is_sorted(), "progress is told of each page");
        done.removed
    };
    let after = peak_memory();
    say(&format!("{went} {}", after.saturating_sub(before)));
}

/// Has a child sweep; how many went, by how many bytes its memory grew, and the requests.
fn swept(test: &str, server: &S3Server, how: &str) -> (usize, u64, Counts) {
    let before = server.counts();
    let mut child = Child::in_role_with(test, "sweep", &[(URL, &server.endpoint())]);
    child.say(how);
    let word = loop {
        let word = child.hear().expect("it ends with what it found");
        if word != AT_IT {
            break word;
        }
    };
    let (went, grew) = word.split_once(' ').expect("two numbers");
    (went.parse().unwrap(), grew.parse().unwrap(), server.counts().since(before))
}

/// Plants many objects like the one that the store has written under `key`.
fn plant_many(server: &S3Server, like: &str, prefix: &str, ago: Duration) {
    let body = server.object(&format!("app/records/{like}.kc")).expect("it was written").body;
    let names = (0..MANY).map(|n| format!("app/records/{prefix}{n:06}.kc"));
    server.plant_all(names, &body, ago);
}

fn records(server: &S3Server) -> usize {
    server.names().iter().filter(|name| name.starts_with("app/records/")).count()
}

#[test]
fn clearing_a_hundred_thousand_objects_takes_bounded_memory_and_two_requests_a_thousand() {
    if role().is_some() {
        return sweep();
    }
    let server = S3Server::start();
    let store = server.store("app");
    wait(store.save(&key("kept:1"), record(1, 200), None, Guard::Always, &[])).unwrap();
    plant_many(&server, "kept:1", "many:", Duration::ZERO);
    let test = "sweeps::clearing_a_hundred_thousand_objects_takes_bounded_memory_and_two_requests_a_thousand";
    let (went, grew, requests) = swept(test, &server, "clear");
    println!("{went} cleared, {grew} bytes more, {requests:?}");
    assert_eq!(went, MANY);
    assert!(grew < BOUND, "it grew by {grew} bytes");
    assert!(requests.all() <= 2 * MANY as u64 / 1_000 + 5, "{requests:?}");
    assert_eq!(records(&server), 1, "what is under another prefix stays");
}

#[test]
fn what_was_saved_after_it_was_listed_is_not_swept() {
    let server = S3Server::start();
    let store = server.store("app");
    let minute = Some(Duration::from_mins(1));
    for text in ["replaced", "ended"] {
        wait(store.save(&key(text), record(1, 40), minute, Guard::Always, &[])).unwrap();
    }
    server.shift_clock(1_000);
    wait(store.load(&[], &[])).unwrap();
    let late = Fault::Delay(Duration::from_millis(700));
    server.add_fault(Rule::always(late).on(Operation::DeleteMany));
    let swept = thread::scope(|scope| {
        let sweeping = scope.spawn(|| wait(store.purge_expired(|_| ())).unwrap());
        while server.counts().delete_many == 0 {
            thread::yield_now();
        }
        let newer = server.store("app");
        wait(newer.save(&key("replaced"), record(2, 40), minute, Guard::Always, &[])).unwrap();
        sweeping.join().unwrap()
    });
    assert_eq!(swept.removed, 1);
    let slots = wait(store.load(&[key("replaced"), key("ended")], &[])).unwrap().slots;
    assert_eq!(slots[0].record, Some(record(2, 40)));
    assert_eq!((&slots[1].record, records(&server)), (&None, 1));
}

#[test]
fn clearing_by_a_prefix_longer_than_names_show_leaves_what_only_begins_like_it() {
    let server = S3Server::start();
    let store = server.store("app");
    let long = "p".repeat(2_000);
    let keys = ["a:1", "a:2", "b:1"].map(|rest| key(&format!("{long}{rest}")));
    for key in &keys {
        wait(store.save(key, record(1, 40), None, Guard::Always, &[])).unwrap();
    }
    assert_eq!(wait(store.clear(&format!("{long}a:"))).unwrap(), 2);
    let slots = wait(store.load(&keys, &[])).unwrap().slots;
    let there: Vec<_> = slots.iter().map(|slot| slot.record.is_some()).collect();
    assert_eq!(there, [false, false, true]);
}

#[test]
fn server_that_checks_by_md5_is_cleared_and_asked_in_vain_only_once() {
    let server = S3Server::start();
    server.want_md5();
    let store = server.store("app");
    for n in 0..3 {
        wait(store.save(&key(&format!("a:{n}")), record(n, 40), None, Guard::Always, &[])).unwrap();
        wait(store.save(&key(&format!("b:{n}")), record(n, 40), None, Guard::Always, &[])).unwrap();
    }
    assert_eq!(wait(store.clear("a:")).unwrap(), 3);
    assert_eq!(server.counts().delete_many, 2);
    assert_eq!(wait(store.clear("b:")).unwrap(), 3);
    assert_eq!((server.counts().delete_many, records(&server)), (3, 0));
}

#[test]
fn purging_among_a_hundred_thousand_objects_removes_what_has_ended_and_nothing_else() {
    if role().is_some() {
        return sweep();
    }
    let server = S3Server::start();
    let store = server.store("app");
    let minute = Some(Duration::from_mins(1));
    wait(store.save(&key("brief"), record(1, 200), minute, Guard::Always, &[])).unwrap();
    wait(store.save(&key("ever"), record(2, 200), None, Guard::Always, &[])).unwrap();
    plant_many(&server, "brief", "many:", Duration::from_hours(1));
    for n in 0..100 {
        let body = server.object("app/records/ever.kc").unwrap().body;
        server.plant(&format!("app/records/lasting:{n}.kc"), &body, Duration::from_hours(1));
    }
    let test =
        "sweeps::purging_among_a_hundred_thousand_objects_removes_what_has_ended_and_nothing_else";
    let (went, grew, requests) = swept(test, &server, "purge");
    println!("{went} purged, {grew} bytes more, {requests:?}");
    assert_eq!(went, MANY);
    assert!(grew < BOUND, "it grew by {grew} bytes");
    assert!(requests.get < 20, "what a listing tells is not asked for: {requests:?}");
    assert_eq!(records(&server), 102, "what has not ended stays");
}
