//! `timeout_none`: how long a `None` is kept.

use std::time::Duration;

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;

#[cached(cache = "o_timeout_none", timeout = 60, timeout_none = 5)]
fn with(x: u8) -> Option<u8> {
    WITH.pass();
    x.checked_sub(1)
}
static WITH: Gate = Gate::new();

#[cached(cache = "o_timeout_none", timeout = 60)]
fn without() -> Option<u8> {
    WITHOUT.pass();
    None
}
static WITHOUT: Gate = Gate::new();

#[test]
fn a_none_is_kept_so_long_and_without_it_as_any_answer() {
    let (_, clock) = timed("o_timeout_none");
    assert_eq!((with(0), with(0), with(1), without()), (None, None, Some(0), None));
    assert_eq!(WITH.runs(), 2);
    clock.advance(Duration::from_secs(5));
    assert_eq!((with(0), with(1), without()), (None, Some(0), None));
    assert_eq!((WITH.runs(), WITHOUT.runs()), (3, 1));
    clock.advance(Duration::from_secs(55));
    assert_eq!((with(1), without()), (Some(0), None));
    assert_eq!((WITH.runs(), WITHOUT.runs()), (4, 2));
}
