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

/// Errors that can be shared.
#[cached(cache = "o_timeout_none_in_ok", timeout = 60, timeout_none = 5)]
fn in_ok(x: u8) -> Result<Option<u8>, String> {
    IN_OK.pass();
    Ok(x.checked_sub(1))
}
static IN_OK: Gate = Gate::new();

/// Errors that cannot.
#[derive(Debug, PartialEq)]
struct Opaque;

#[cached(cache = "o_timeout_none_in_ok", timeout = 60, timeout_none = 5)]
fn beside_opaque(x: u8) -> Result<Option<u8>, Opaque> {
    BESIDE_OPAQUE.pass();
    Ok(x.checked_sub(1))
}
static BESIDE_OPAQUE: Gate = Gate::new();

#[test]
fn a_none_in_an_ok_is_kept_so_long_too_whatever_the_error() {
    let (_, clock) = timed("o_timeout_none_in_ok");
    let call = |x| (in_ok(x).unwrap(), beside_opaque(x).unwrap());
    let runs = || (IN_OK.runs(), BESIDE_OPAQUE.runs());
    assert_eq!((call(0), call(1), call(0)), ((None, None), (Some(0), Some(0)), (None, None)));
    assert_eq!(runs(), (2, 2));
    clock.advance(Duration::from_secs(5));
    assert_eq!((call(0), call(1)), ((None, None), (Some(0), Some(0))));
    assert_eq!(runs(), (3, 3));
}
