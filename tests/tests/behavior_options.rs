//! What tells calls, functions and caches apart, and functions whose answers stay in the process.

#![allow(clippy::unwrap_used, clippy::items_after_statements)] // the lock comes first

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use keyedcache::{Cache, cached};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::{Place, timed};
use keyedcache_tests::watchdog::wait_until;

/// Whoever registers a cache empties the near caches of all functions, so one test runs at a time.
fn alone() -> impl Drop {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn versions_are_kept_apart_and_forgotten_together() {
    let _alone = alone();
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_version", name = "versioned", version = 1)]
    fn old() -> usize {
        GATE.pass()
    }
    #[cached(cache = "t_version", name = "versioned", version = 2)]
    fn new() -> usize {
        GATE.pass()
    }
    Place::memory().register("t_version");
    assert_eq!((old(), new()), (1, 2));
    assert_eq!((old(), new()), (1, 2));
    new::invalidate().wait().unwrap();
    assert_eq!((old(), new()), (1, 3), "one call is of one version");
    new::invalidate_all().wait().unwrap();
    assert_eq!((old(), new()), (4, 5), "the function is of all");
}

#[test]
fn functions_of_one_name_and_signature_share_their_answers() {
    let _alone = alone();
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_name", name = "shared")]
    fn one(x: u8) -> usize {
        GATE.pass() + usize::from(x)
    }
    #[cached(cache = "t_name", name = "shared")]
    fn renamed(x: u8) -> usize {
        GATE.pass() + usize::from(x)
    }
    /// Other signatures: their records are not those, even where they would decode.
    #[cached(cache = "t_name", name = "shared")]
    fn answering_more(x: u8) -> u64 {
        GATE.pass();
        1_000 + u64::from(x)
    }
    #[cached(cache = "t_name", name = "shared")]
    fn answering_text(x: u8) -> String {
        format!("{x} in run {}", GATE.pass())
    }
    Place::memory().register("t_name");
    assert_eq!(one::key(7).text(), "shared::7");
    assert_eq!((one(7), renamed(7)), (8, 8));
    assert_eq!(answering_text(7), "7 in run 2");
    assert_eq!(answering_text(7), "7 in run 2");
    assert_eq!(renamed(8), 11);
    assert_eq!(one(9), 13);
    assert_eq!(answering_more(9), 1_009);
}

#[test]
fn functions_without_a_name_are_told_apart_by_their_paths() {
    let _alone = alone();
    static GATE: Gate = Gate::new();
    mod other {
        #[keyedcache::cached(cache = "t_path")]
        pub(super) fn f() -> usize {
            super::other_run()
        }
    }
    #[cached(cache = "t_path")]
    fn f() -> usize {
        GATE.pass()
    }
    Place::memory().register("t_path");
    assert_eq!((f(), other::f()), (1, 100));
    assert_eq!((f(), other::f()), (1, 100));
    assert_ne!(f::key(), other::f::key());
}

fn other_run() -> usize {
    100
}

#[test]
fn a_function_is_kept_in_the_cache_it_names() {
    let _alone = alone();
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_alias_one", name = "aliased")]
    fn one() -> usize {
        GATE.pass()
    }
    #[cached(cache = "t_alias_other", name = "aliased")]
    fn other() -> usize {
        GATE.pass()
    }
    #[cached(cache = "t_alias_unknown")]
    fn nowhere() -> usize {
        GATE.pass()
    }
    let (first, second) = (Place::memory(), Place::memory());
    let first = first.register("t_alias_one");
    second.register("t_alias_other");
    assert_eq!((one(), other()), (1, 2));
    assert_eq!((one(), other()), (1, 2));
    first.clear().wait().unwrap();
    assert_eq!((one(), other()), (3, 2));
    assert_eq!((nowhere(), nowhere()), (4, 5), "without a cache it computes");
    let error = nowhere::invalidate().wait().unwrap_err().to_string();
    assert!(error.contains("t_alias_unknown"), "{error}");
    Place::memory().register("t_alias_unknown");
    assert_eq!((nowhere(), nowhere()), (6, 6), "from now on there is one");
}

#[test]
fn two_prefixes_on_one_store_are_two_caches() {
    let _alone = alone();
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_prefix_one", name = "prefixed")]
    fn one() -> usize {
        GATE.pass()
    }
    #[cached(cache = "t_prefix_other", name = "prefixed")]
    fn other() -> usize {
        GATE.pass()
    }
    let place = Place::memory();
    let first = place.cache().prefix("one").build().unwrap();
    first.register("t_prefix_one").unwrap();
    place.cache().prefix("other").build().unwrap().register("t_prefix_other").unwrap();
    assert_eq!((one(), other()), (1, 2));
    one::invalidate_all().wait().unwrap();
    first.clear().wait().unwrap();
    assert_eq!((one(), other()), (3, 2));
}

#[test]
fn calls_that_differ_only_in_what_is_skipped_are_one() {
    let _alone = alone();
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_skip", skip(noise))]
    fn skipping(x: u8, noise: u8) -> (u8, usize) {
        (x + noise, GATE.pass())
    }
    #[cached(cache = "t_skip", key = x / 10)]
    fn by_tens(x: u8) -> (u8, usize) {
        (x, GATE.pass())
    }
    Place::memory().register("t_skip");
    assert_eq!(skipping(1, 1), (2, 1));
    assert_eq!(skipping(1, 5), (2, 1));
    assert_eq!(skipping(2, 1), (3, 2));
    assert_eq!(by_tens(31), (31, 3));
    assert_eq!(by_tens(39), (31, 3));
    assert_eq!(by_tens(41), (41, 4));
    by_tens::invalidate(35).wait().unwrap();
    assert_eq!(by_tens(36), (36, 5));
    skipping::invalidate(1).wait().unwrap();
    assert_eq!(skipping(1, 7), (8, 6));
    assert_eq!(skipping(2, 7), (3, 2));
}

/// Not for serde, and not to be copied.
#[derive(Debug, PartialEq)]
struct Connection(usize);

static LOCAL: Gate = Gate::new();

#[cached(cache = "t_local", local, timeout = 60)]
fn connection(x: u8) -> Arc<Connection> {
    Arc::new(Connection(LOCAL.pass() * 100 + usize::from(x)))
}

#[test]
fn a_local_function_computes_once_and_forgets_as_others_do() {
    let _alone = alone();
    let (cache, clock) = timed("t_local");
    LOCAL.close();
    let callers: Vec<_> = (0..20).map(|_| thread::spawn(|| connection(1))).collect();
    wait_until("one is at work", || LOCAL.running() == 1);
    LOCAL.open();
    let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    assert_eq!(LOCAL.runs(), 1);
    assert!(answers.iter().all(|answer| Arc::ptr_eq(answer, &answers[0])), "it is one value");

    assert!(connection::peek(2).wait().is_err());
    assert_eq!(connection(2).0, 202);
    assert_eq!(connection::peek(2).wait().unwrap().0, 202);
    connection::invalidate(2).wait().unwrap();
    assert!(connection::peek(2).wait().is_err());
    assert_eq!((connection(1).0, connection(2).0), (101, 302));
    connection::invalidate_all().wait().unwrap();
    assert_eq!((connection(1).0, connection(2).0), (401, 502));
    cache.clear().wait().unwrap();
    assert_eq!(connection(1).0, 601);
    assert_eq!(connection::refresh(1).wait().0, 701);
    assert_eq!(connection(1).0, 701);
    connection::put(1, Arc::new(Connection(7))).wait().unwrap();
    assert_eq!(connection(1).0, 7);
    clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(connection(1).0, 801);
    assert_eq!(cache.stats().saved, 0, "no store is asked");
    local_answers_that_come_late_are_not_kept();
    nothing_local_is_read_or_kept_while_the_cache_is_disabled(&cache);
}

#[test]
fn a_local_function_never_reads_what_stands_under_its_key_by_hand() {
    let _alone = alone();
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_local_key", local, timeout = 60)]
    fn f(x: u8) -> usize {
        GATE.pass() + usize::from(x)
    }
    let cache = Place::memory().register("t_local_key");
    cache.set(f::key(0), &1_000_usize).wait().unwrap();
    assert_eq!(f::refresh(0).wait(), 1);
    assert_eq!(f(0), 1);
    f::invalidate(0).wait().unwrap();
    cache.set(f::key(0), &1_000_usize).wait().unwrap();
    assert_eq!((f(0), f(0)), (2, 2));
    assert_eq!(f::refresh(0).wait(), 3);
    assert_eq!(f::peek(0).wait().unwrap(), 3);
    cache.clear().wait().unwrap();
    assert!(f::peek(0).wait().is_err());
    assert_eq!(f(0), 4);
}

/// What was forgotten while it was computed.
fn local_answers_that_come_late_are_not_kept() {
    let forget: [fn(); 2] = [
        || connection::invalidate(9).wait().unwrap(),
        || connection::invalidate_all().wait().unwrap(),
    ];
    for forget in forget {
        forget();
        LOCAL.reset();
        LOCAL.close();
        let late = thread::spawn(|| connection(9).0);
        wait_until("it is at work", || LOCAL.running() == 1);
        forget();
        let newer = thread::spawn(|| connection(9).0);
        wait_until("who comes now computes anew", || LOCAL.running() == 2);
        LOCAL.open();
        assert_eq!((late.join().unwrap(), newer.join().unwrap()), (109, 209));
        assert_ne!(connection(9).0, 109);
    }
}

fn nothing_local_is_read_or_kept_while_the_cache_is_disabled(cache: &Cache) {
    LOCAL.reset();
    assert_eq!(connection(3).0, 103);
    cache.enable(false);
    assert_eq!((connection(3).0, connection(3).0), (203, 303));
    connection::put(3, Arc::new(Connection(7))).wait().unwrap();
    assert!(connection::peek(3).wait().is_err());
    assert_eq!(connection::refresh(3).wait().0, 403);
    assert_eq!(connection(3).0, 503);
    cache.enable(true);
    assert_eq!(connection(3).0, 603);
    assert_eq!(connection(3).0, 603);
}
