//! `early`: refreshes before the time is over, by chance, the likelier the nearer its end.

use std::time::Duration;

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;
use keyedcache_tests::watchdog::wait_until;

const COST: Duration = Duration::from_millis(5);

#[cached(cache = "o_early", timeout = 60, early = 1_000_000_000, near = 0)]
fn surely() -> usize {
    static GATE: Gate = Gate::new();
    GATE.work(COST)
}

#[cached(cache = "o_early", timeout = 60, early, near = 0)]
fn hardly() -> usize {
    static GATE: Gate = Gate::new();
    GATE.work(COST)
}

#[cached(cache = "o_early", timeout = 60, near = 0)]
fn without() -> usize {
    static GATE: Gate = Gate::new();
    GATE.work(COST)
}

#[test]
fn the_more_of_it_the_earlier() {
    let (_, clock) = timed("o_early");
    assert_eq!((surely(), hardly(), without()), (1, 1, 1));
    clock.advance(Duration::from_secs(1));
    wait_until("it is refreshed though fresh", || surely() > 1);
    assert_eq!((hardly(), without()), (1, 1), "with a beta of 1 seconds early is unheard of");
}
