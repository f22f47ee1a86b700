//! `stale`: how much longer an answer is served while one caller refreshes it.

use std::time::Duration;

use keyedcache::{Cache, cached};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;
use keyedcache_tests::watchdog::wait_until;

static GATE: Gate = Gate::new();

#[cached(cache = "o_stale", timeout = 60, stale = 60)]
fn with() -> usize {
    GATE.pass()
}

#[cached(cache = "o_stale", timeout = 60)]
fn without() -> usize {
    GATE.pass()
}

#[test]
fn what_is_old_is_served_so_long_and_refreshed_by_one() {
    let (_, clock) = timed("o_stale");
    assert_eq!((with(), without()), (1, 2));
    clock.advance(Duration::from_mins(1));
    assert_eq!(without(), 3, "without it, what is old is missing");
    GATE.close();
    assert_eq!([with(), with(), with()], [1, 1, 1]);
    wait_until("it is refreshed", || GATE.running() == 1);
    GATE.open();
    wait_until("the new one is served", || with() == 4);
    assert_eq!(GATE.runs(), 4);
    clock.advance(Duration::from_mins(2));
    assert_eq!(with(), 5, "past that it is missing too");
}

#[cached(
    cache = "o_stale_of_cache",
    timeout = 60,
    stale = 0,
    stale_if_error = 0,
    early = 0,
    jitter = 0
)]
fn with_none() -> usize {
    GATE_OF_CACHE.pass()
}

#[cached(cache = "o_stale_of_cache", timeout = 60)]
fn with_the_caches() -> usize {
    GATE_OF_CACHE.pass()
}

static GATE_OF_CACHE: Gate = Gate::new();

#[test]
fn zero_is_none_whatever_the_cache_has() {
    let clock = keyedcache::Clock::manual(keyedcache::Moment::from_micros(1_000_000_000_000_000));
    let minute = Duration::from_mins(1);
    let cache = Cache::builder().clock(clock.clone()).stale(minute).stale_if_error(minute);
    cache.build().unwrap().register("o_stale_of_cache").unwrap();
    assert_eq!((with_none(), with_the_caches()), (1, 2));
    clock.advance(minute);
    assert_eq!(with_none(), 3);
    GATE_OF_CACHE.close();
    let refreshing = std::thread::spawn(with_the_caches);
    wait_until("one refreshes", || GATE_OF_CACHE.running() == 1);
    assert_eq!(with_the_caches(), 2, "another is served the old one");
    GATE_OF_CACHE.open();
    assert_eq!(refreshing.join().unwrap(), 4);
}
