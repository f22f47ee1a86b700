//! `stale`: how much longer an answer is served while one caller refreshes it.

use std::time::Duration;

use keyedcache::cached;
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
