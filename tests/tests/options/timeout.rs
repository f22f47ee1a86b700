//! `timeout`: how long an answer is fresh: seconds, text, an expression, `Never`, or a closure.

use std::time::Duration;

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;

const MINUTE: Duration = Duration::from_mins(1);

static GATE: Gate = Gate::new();

#[cached(cache = "o_timeout", timeout = 60)]
fn seconds() -> usize {
    GATE.pass()
}

#[cached(cache = "o_timeout", timeout = "1m")]
fn text() -> usize {
    GATE.pass()
}

#[cached(cache = "o_timeout", timeout = MINUTE)]
fn expression() -> usize {
    GATE.pass()
}

#[cached(cache = "o_timeout", timeout = |run| if *run > 0 { MINUTE } else { Duration::ZERO })]
fn closure() -> usize {
    GATE.pass()
}

#[cached(cache = "o_timeout", timeout = Never)]
fn never() -> usize {
    GATE.pass()
}

#[cached(cache = "o_timeout")]
fn without() -> usize {
    GATE.pass()
}

#[test]
fn in_every_form_it_is_how_long_an_answer_is_fresh() {
    let (_, clock) = timed("o_timeout");
    let all = || [seconds(), text(), expression(), closure(), never(), without()];
    assert_eq!(all(), [1, 2, 3, 4, 5, 6]);
    clock.advance(Duration::from_secs(59));
    assert_eq!(all(), [1, 2, 3, 4, 5, 6]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(all(), [7, 8, 9, 10, 5, 6], "but for ever, and for the 300 s of the cache");
    clock.advance(4 * MINUTE);
    assert_eq!((never(), without()), (5, 11));
    clock.advance(Duration::from_hours(24 * 365 * 100));
    assert_eq!(never(), 5);
}
