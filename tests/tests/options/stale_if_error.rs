//! `stale_if_error`: how much longer an answer is served when computing fails.

use std::time::Duration;

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;

fn fail_later(gate: &Gate) -> Result<usize, String> {
    match gate.pass() {
        1 => Ok(1),
        run => Err(format!("run {run}")),
    }
}

#[cached(cache = "o_stale_if_error", timeout = 60, stale_if_error = 60)]
fn with() -> Result<usize, String> {
    static GATE: Gate = Gate::new();
    fail_later(&GATE)
}

#[cached(cache = "o_stale_if_error", timeout = 60)]
fn without() -> Result<usize, String> {
    static GATE: Gate = Gate::new();
    fail_later(&GATE)
}

#[test]
fn the_older_answer_stands_in_for_an_error() {
    let (_, clock) = timed("o_stale_if_error");
    assert_eq!((with(), without()), (Ok(1), Ok(1)));
    clock.advance(Duration::from_mins(1));
    assert_eq!((with(), without()), (Ok(1), Err("run 2".to_owned())));
    clock.advance(Duration::from_mins(1));
    assert_eq!(with(), Err("run 3".to_owned()), "so long and no longer");
}
