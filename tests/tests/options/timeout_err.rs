//! `timeout_err`: how long an `Err` is kept.

use std::time::Duration;

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;

type Alias = Result<u8, usize>;

#[cached(cache = "o_timeout_err", timeout = 60, timeout_err = 5)]
fn with() -> Alias {
    static GATE: Gate = Gate::new();
    Err(GATE.pass())
}

#[cached(cache = "o_timeout_err", timeout = 60)]
fn without() -> Alias {
    static GATE: Gate = Gate::new();
    Err(GATE.pass())
}

#[test]
fn an_err_is_kept_so_long_and_without_it_not_at_all() {
    let (_, clock) = timed("o_timeout_err");
    assert_eq!((with(), with()), (Err(1), Err(1)));
    clock.advance(Duration::from_secs(5));
    assert_eq!(with(), Err(2));
    assert_eq!((without(), without()), (Err(1), Err(2)));
}
