//! `refresh`: who computes a new answer while the old one is served.

use std::time::Duration;

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;
use keyedcache_tests::watchdog::wait_until;

static GATE: Gate = Gate::new();

#[cached(cache = "o_refresh", timeout = 60, stale = 60, refresh = "foreground", skip(borrowed))]
fn foreground(borrowed: &mut usize) -> usize {
    *borrowed += 1;
    GATE.pass()
}

#[cached(cache = "o_refresh", timeout = 60, stale = 60, refresh = "background")]
fn background() -> usize {
    GATE.pass()
}

#[test]
fn in_the_foreground_the_one_that_refreshes_gets_the_new_answer() {
    let (_, clock) = timed("o_refresh");
    let mut calls = 0;
    assert_eq!((foreground(&mut calls), background()), (1, 2));
    clock.advance(Duration::from_mins(1));
    assert_eq!(foreground(&mut calls), 3);
    assert_eq!(calls, 2, "in the caller, whose arguments may be borrowed");
    assert_eq!(background(), 2, "in the background, as without it, the caller gets the old one");
    wait_until("it is refreshed", || background() == 4);
}
