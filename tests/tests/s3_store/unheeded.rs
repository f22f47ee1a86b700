//! A server that ignores preconditions: used without leases, and what is deleted stays so.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::record::{Header, Life, Record, Scope};
use keyedcache::store::{
    DECLINED_FOR, Guard, HolderId, LeaseToken, Leasing, Release, S3Store, Severity, Slot, Store,
};
use keyedcache::{Cache, Clock, ErrorKind, Moment, cache_key};
use keyedcache_tests::drive::wait;
use keyedcache_tests::s3::{Counts, Fault, Operation, Rule, S3Server};
use keyedcache_tests::stored::{key, record};

const HOUR: Duration = Duration::from_hours(1);

fn unheeding() -> S3Server {
    let server = S3Server::start();
    server.heed_conditions(false);
    server
}

fn token() -> LeaseToken {
    LeaseToken::random(HolderId::random())
}

fn leased(store: &S3Store, text: &str) -> LeaseToken {
    let token = token();
    let seen = slot(store, text).record.map(|record| record.id());
    assert_eq!(wait(store.lease(&key(text), token, HOUR, seen)).unwrap(), Leasing::Granted);
    token
}

fn save(store: &S3Store, text: &str, record: &Record, guard: Guard) -> bool {
    wait(store.save(&key(text), record.clone(), Some(HOUR), guard, &[])).unwrap()
}

fn slot(store: &S3Store, text: &str) -> Slot {
    wait(store.load(&[key(text)], &[])).unwrap().slots.remove(0)
}

/// What a process reads that has never asked the server anything.
fn anew(server: &S3Server, text: &str) -> Option<Record> {
    slot(&server.store("app"), text).record
}

#[test]
fn server_that_ignores_preconditions_is_found_out_used_all_the_same_and_named() {
    let server = unheeding();
    let store = server.store("app");
    assert_eq!(store.shares_leases(), None, "nobody has asked");
    let cache = Cache::builder().store(Arc::new(store.clone())).build().unwrap();
    let runs = AtomicUsize::new(0);
    for _ in 0..3 {
        let computed = cache.get_or_set(cache_key!("report", 7)).compute(async || {
            runs.fetch_add(1, Ordering::SeqCst);
            7
        });
        assert_eq!(computed.wait(), 7);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1, "answers are kept");
    assert_eq!(store.shares_leases(), Some(false));
    let error = cache.require().wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("ignores If-None-Match"), "{error}");

    let heeding = S3Server::start();
    let store = heeding.store("app");
    let cache = Cache::builder().store(Arc::new(store.clone())).build().unwrap();
    cache.require().wait().unwrap();
    assert_eq!(store.shares_leases(), Some(true));
}

#[test]
fn each_process_computes_once_however_many_of_its_threads_ask() {
    let server = unheeding();
    let runs = AtomicUsize::new(0);
    let caches =
        [(); 2].map(|()| Cache::builder().store(Arc::new(server.store("app"))).build().unwrap());
    thread::scope(|scope| {
        for cache in &caches {
            for _ in 0..8 {
                scope.spawn(|| {
                    let run = async || {
                        runs.fetch_add(1, Ordering::SeqCst);
                        thread::sleep(Duration::from_millis(300)); // it takes its time
                        7
                    };
                    assert_eq!(cache.get_or_set(cache_key!("n", 1)).compute(run).wait(), 7);
                });
            }
        }
    });
    assert_eq!(runs.load(Ordering::SeqCst), caches.len());
    assert!(caches.iter().all(|cache| cache.stats().store_errors == 0));
}

#[test]
fn lease_stands_in_its_process_until_its_key_is_deleted_by_anyone() {
    let server = unheeding();
    let (one, other) = (server.store("app"), server.store("app"));
    let mine = leased(&one, "k");
    assert_eq!(slot(&one, "k").lease, Some(mine));
    let held = wait(one.lease(&key("k"), token(), HOUR, None)).unwrap();
    assert!(matches!(held, Leasing::Held { by, .. } if by == mine), "{held:?}");
    leased(&other, "k");
    assert!(wait(one.renew(&key("k"), mine, HOUR)).unwrap());

    wait(other.delete(&[key("k")])).unwrap();
    assert_eq!(slot(&one, "k").lease, None);
    assert!(!wait(one.renew(&key("k"), mine, HOUR)).unwrap());
    assert!(!wait(one.release(&key("k"), mine, Release::Abandoned)).unwrap());
    assert!(!save(&one, "k", &record(1, 40), Guard::Lease(mine)), "deleted while it was computed");
    assert_eq!(anew(&server, "k"), None);

    // Nor does it stand again when somebody has the key bear another generation.
    let mine = leased(&one, "k");
    wait(other.delete(&[key("k")])).unwrap();
    leased(&other, "k");
    assert_eq!(slot(&one, "k").lease, None);
    assert!(!save(&one, "k", &record(1, 40), Guard::Lease(mine)));
}

#[test]
fn lease_ends_by_its_time_by_its_save_and_by_its_release() {
    let server = unheeding();
    let store = server.store("app");
    let mine = leased(&store, "k");
    assert!(!wait(store.release(&key("k"), token(), Release::Abandoned)).unwrap());
    assert!(wait(store.release(&key("k"), mine, Release::Declined)).unwrap());
    assert_eq!((slot(&store, "k").lease, slot(&store, "k").declined), (None, true));

    let mine = leased(&store, "k");
    assert!(!save(&store, "k", &record(1, 40), Guard::Lease(token())), "a stranger's");
    assert!(save(&store, "k", &record(1, 40), Guard::Lease(mine)));
    assert!(!save(&store, "k", &record(2, 40), Guard::Lease(mine)), "it has ended");
    let found = slot(&store, "k");
    assert_eq!((found.record, found.lease), (Some(record(1, 40)), None));

    let late = leased(&store, "k");
    server.shift_clock(4_000);
    assert_eq!(slot(&store, "k").lease, None);
    assert!(!save(&store, "k", &record(3, 40), Guard::Lease(late)), "its hour is over");
}

#[test]
fn lease_that_ends_within_the_time_of_a_marker_is_neither_renewed_nor_released() {
    let clock = Clock::manual(Moment::from_micros(1_700_000_000_000_000));
    let server = S3Server::on(clock.clone());
    server.heed_conditions(false);
    let store = server.builder("app").clock(clock.clone()).build().unwrap();
    let declined = leased(&store, "k");
    assert!(wait(store.release(&key("k"), declined, Release::Declined)).unwrap());
    let brief = token();
    let granted = wait(store.lease(&key("k"), brief, DECLINED_FOR / 4, None)).unwrap();
    assert_eq!(granted, Leasing::Granted);
    clock.advance(DECLINED_FOR / 2);
    assert!(slot(&store, "k").declined, "the marker stands");
    assert!(!wait(store.renew(&key("k"), brief, HOUR)).unwrap());
    assert!(!wait(store.release(&key("k"), brief, Release::Abandoned)).unwrap());
}

/// The very gap between the last look and the write: the write arrives after the deletion.
#[test]
fn save_that_lands_after_its_key_was_deleted_counts_for_nobody() {
    let server = unheeding();
    let (one, other) = (server.store("app"), server.store("app"));
    save(&other, "first", &record(9, 40), Guard::Always); // what it asks the server comes before
    let mine = leased(&one, "k");
    let late = Fault::Delay(Duration::from_millis(800));
    server.add_fault(Rule::always(late).on(Operation::Put).within("k.kc").times(1));
    let before = server.counts().put;
    thread::scope(|scope| {
        let saving = scope.spawn(|| save(&one, "k", &record(1, 40), Guard::Lease(mine)));
        while server.counts().put == before {
            thread::yield_now();
        }
        wait(other.delete(&[key("k")])).unwrap();
        assert!(server.object("app/records/k.kc").is_none(), "it has not landed yet");
        saving.join().unwrap();
    });
    assert!(server.object("app/records/k.kc").is_some(), "it has landed");
    for store in [&one, &other, &server.store("app")] {
        assert_eq!(slot(store, "k").record, None);
    }
    let mine = leased(&other, "k");
    assert_eq!(slot(&other, "k").record, None, "nor under the next generation");
    assert!(save(&other, "k", &record(2, 40), Guard::Lease(mine)));
    assert_eq!(anew(&server, "k"), Some(record(2, 40)));
}

#[test]
fn value_that_is_set_is_not_replaced_by_what_was_computed_before_it() {
    let server = unheeding();
    let (one, other) = (server.store("app"), server.store("app"));
    let mine = leased(&one, "k");
    assert!(save(&other, "k", &record(2, 40), Guard::Always));
    assert!(!save(&one, "k", &record(1, 40), Guard::Lease(mine)));
    assert_eq!(anew(&server, "k"), Some(record(2, 40)));
}

#[test]
fn invalidated_scope_bears_another_generation_for_everyone() {
    let server = unheeding();
    let (one, other) = (server.store("app"), server.store("app"));
    let scope = Scope::new("scope");
    let read = || wait(one.generations(slice::from_ref(&scope))).unwrap()[0];
    for severity in [Severity::Soft, Severity::Hard] {
        let before = read();
        wait(other.invalidate(slice::from_ref(&scope), severity)).unwrap();
        assert_ne!(before.soft, read().soft);
    }
}

#[test]
fn what_is_nothing_without_conditions_is_refused_and_says_so() {
    let server = unheeding();
    let cache = Cache::builder().store(Arc::new(server.store("app"))).build().unwrap();
    let refused = |error: keyedcache::Error| {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("s3://kept/app"), "{error}");
    };
    refused(cache.add(cache_key!("n"), &1).wait().unwrap_err());
    cache.set(cache_key!("n"), &1).wait().unwrap();
    refused(cache.increment(cache_key!("n"), 1).wait().unwrap_err());
    assert_eq!(cache.get::<i32>(cache_key!("n")).wait().unwrap(), 1);
}

#[test]
fn touched_record_stays_under_the_generation_of_its_key() {
    let server = unheeding();
    let (one, other) = (server.store("app"), server.store("app"));
    let kept = Record::new(&Header::new(Moment::from_micros(7)), b"kept").unwrap();
    save(&one, "k", &kept, Guard::Always);
    let life = Life { created: one.now(), fresh_for: Some(2 * HOUR), ttl: Some(2 * HOUR) };
    assert!(wait(one.touch(&key("k"), kept.id(), life, &[])).unwrap());
    server.shift_clock(5_000);
    assert_eq!(anew(&server, "k").map(|record| record.id()), Some(kept.id()));
    wait(other.delete(&[key("k")])).unwrap();
    assert!(!wait(one.touch(&key("k"), kept.id(), life, &[])).unwrap());
    assert_eq!(anew(&server, "k"), None);
}

#[test]
fn who_waits_for_a_lease_of_its_process_is_woken_by_its_end() {
    let server = unheeding();
    let store = server.store("app");
    let mine = leased(&store, "k");
    thread::scope(|scope| {
        let start = Instant::now();
        let waiting = scope.spawn(|| wait(store.changed(&key("k"), mine, HOUR)));
        let before = server.counts().get;
        while server.counts().get < before + 2 {
            thread::yield_now();
        }
        wait(store.release(&key("k"), mine, Release::Abandoned)).unwrap();
        waiting.join().unwrap().unwrap();
        assert!(start.elapsed() < Duration::from_mins(1));
    });
}

#[test]
fn generation_of_a_key_goes_with_its_record() {
    let server = unheeding();
    let store = server.store("app");
    let of_keys = || server.names().iter().filter(|name| name.starts_with("app/records/")).count();
    for n in 0..5 {
        save(&store, &format!("shop:{n}"), &record(n, 40), Guard::Always);
        save(&store, &format!("other:{n}"), &record(n, 40), Guard::Always);
    }
    assert_eq!(of_keys(), 20);
    assert_eq!(wait(store.clear("shop:")).unwrap(), 5);
    assert_eq!(of_keys(), 10);
    server.shift_clock(100_000);
    wait(store.load(&[], &[])).unwrap();
    assert_eq!(anew(&server, "other:1"), None);
    let swept = wait(store.purge_expired(|_| ())).unwrap();
    assert_eq!((swept.removed, of_keys()), (5, 0));
}

#[test]
fn hit_asks_for_one_more_object_and_a_computation_as_many_writes_as_elsewhere() {
    let server = unheeding();
    let cache = Cache::builder().store(Arc::new(server.store("app"))).build().unwrap();
    let ask = |n: u64| cache.get_or_set(cache_key!("n", n)).compute(async move || n).wait();
    ask(1); // finds out about the server, and makes the generations of the two scopes
    let counted = |n| {
        let before = server.counts();
        ask(n);
        server.counts().since(before)
    };
    assert_eq!(counted(2), Counts { get: 7, put: 2, ..Counts::default() });
    assert_eq!(counted(2), Counts { get: 4, ..Counts::default() });
}
