//! `version`: separates the records of incompatible versions.

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;

#[cached(cache = "o_version", name = "versioned", version = 2)]
fn second() -> usize {
    GATE.pass()
}

#[cached(cache = "o_version", name = "versioned", version = 1)]
fn first() -> usize {
    GATE.pass()
}

#[cached(cache = "o_version", name = "versioned")]
fn without() -> usize {
    GATE.pass()
}

static GATE: Gate = Gate::new();

#[test]
fn versions_do_not_read_each_others_records_and_are_forgotten_together() {
    let _timed = timed("o_version");
    assert_eq!((second(), first(), without()), (1, 2, 2), "the cache's version is 1");
    assert!(second::invalidate_all().wait().is_ok());
    assert_eq!((first(), second(), without()), (3, 4, 3));
}
