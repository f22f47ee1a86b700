//! What the server throws away, and what others put in place of what is ours.

use std::thread;
use std::time::{Duration, Instant};

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::redis::{Options, Server};
use keyedcache_tests::watchdog::wait_until;

use crate::site::{
    KNOWN, Site, change, fresh, is_stored, names, record_of, serves, told, told_elsewhere, truth,
};

/// A server that throws away what was not used for long, soon.
fn small() -> Server {
    Options::new().max_memory("4mb", "allkeys-lru").start()
}

/// Fills a server until it has thrown away what has one of these names.
fn fill(server: &Server, what: &str, is_gone: impl Fn() -> bool) {
    let junk = "x".repeat(20_000);
    let mut number = 0;
    wait_until(what, || {
        number += 1;
        server.command(&["SET", &format!("junk:{number}"), &junk]);
        is_gone()
    });
}

#[test]
fn evicted_lease_adds_one_execution_and_only_one_answer_is_stored() {
    static GATE: Gate = Gate::new();

    #[cached(cache = "site", name = "evicted")]
    fn evicted(key: u64) -> u64 {
        assert!(key < u64::MAX);
        GATE.pass();
        1
    }

    #[cached(cache = "site_elsewhere", name = "evicted")]
    fn evicted_elsewhere(key: u64) -> u64 {
        assert!(key < u64::MAX);
        2
    }

    let server = small();
    let site = Site::on(&server);
    GATE.close();
    let holder = thread::spawn(|| evicted(1));
    wait_until("it runs", || GATE.running() == 1);
    assert_eq!(names(&server, ":lease").len(), 1);
    fill(&server, "an evicted lease", || names(&server, ":lease").is_empty());
    let began = Instant::now();
    assert_eq!(evicted_elsewhere(1), 2);
    assert!(began.elapsed() < Duration::from_secs(1), "it waited for a lease that is gone");
    GATE.open();
    assert_eq!(holder.join().unwrap(), 1, "each has its own answer");
    assert_eq!(site.cache.stats().refused, 1);
    assert_eq!((evicted(1), evicted_elsewhere(1)), (2, 2), "one is stored");
}

#[test]
fn evicted_generations_make_missing_what_they_stamped_and_nothing_comes_back() {
    let server = small();
    let site = Site::on(&server);
    // What goes first is chance: once in 200 times it is all of these before both generations.
    let keys: Vec<_> = (0..400).map(|_| fresh()).collect();
    for key in &keys {
        assert_eq!(told(*key), truth());
    }
    // What is of before must be missing now, and after its generation is gone, too.
    let truth = change(false).unwrap();
    let generations = || names(&server, ":generation");
    assert_eq!(generations().len(), 2, "of the cache, and of the function");
    fill(&server, "evicted generations", || generations().is_empty());
    let left = keys.iter().filter(|key| is_stored(&server, **key)).count();
    println!("{left} of {} records are still there", keys.len());
    assert!(left > 0, "nothing is left that could come back");
    serves(truth);
    for key in &keys {
        assert_eq!((told(*key), told_elsewhere(*key)), (truth, truth));
    }

    // What bears the new ones is missing when they go, in the near caches too.
    let truth = change(true).unwrap();
    wait_until("it is heard of", || told(keys[0]) == truth);
    for key in &keys {
        assert_eq!(told(*key), truth);
    }
    fill(&server, "evicted generations", || generations().is_empty());
    let misses = site.cache.stats().misses;
    wait_until("what has no generation is not served", || {
        told(keys[0]);
        site.cache.stats().misses > misses
    });
    site.comes_right(&server, Instant::now());
}

#[test]
fn what_is_of_another_type_is_no_record_no_lease_and_no_generation() {
    let foreign: [&[&str]; 5] = [
        &["RPUSH", "NAME", "x"],
        &["SADD", "NAME", "x"],
        &["HSET", "NAME", "x", "y"],
        &["ZADD", "NAME", "1", "x"],
        &["XADD", "NAME", "*", "x", "y"],
    ];
    let server = Server::start();
    let site = Site::on(&server);
    let record = record_of(KNOWN);
    let mut all = vec![
        vec![record.clone()],
        vec![format!("{{{record}}}:lease")],
        vec![format!("{{{record}}}:header")],
        names(&server, ":generation"),
    ];
    all.push(all.concat());
    for names in all {
        for command in foreign {
            server.command(&["DEL", &record]);
            for name in &names {
                server.command(&["DEL", name]);
                let words: Vec<_> =
                    command.iter().map(|word| if *word == "NAME" { name } else { *word }).collect();
                server.command(&words);
            }
            let about = format!("{} as {names:?}", command[0]);
            serves(truth());
            wait_until(&about, || is_stored(&server, KNOWN) && told(KNOWN) == truth());
            assert_eq!(server.command(&["TYPE", &record]).text(), "string", "{about}");
            let truth = change(true).expect("what is foreign is overwritten");
            wait_until(&about, || told(KNOWN) == truth);
            assert_eq!(told_elsewhere(KNOWN), truth, "{about}");
        }
    }
    // Deleting takes what is foreign away, too.
    server.command(&["DEL", &record]);
    server.command(&["RPUSH", &record, "x"]);
    told::invalidate(KNOWN).wait().unwrap();
    assert!(!is_stored(&server, KNOWN));
    site.comes_right(&server, Instant::now());
}
