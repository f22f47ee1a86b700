//! `near`: how many answers are kept in the process in front of the store.

use keyedcache::cached;
use keyedcache_tests::place::timed;

#[cached(cache = "o_near", near = 0)]
fn none(x: u64) -> u64 {
    x
}

#[cached(cache = "o_near", near = 10)]
fn ten(x: u64) -> u64 {
    x
}

#[cached(cache = "o_near")]
fn without(x: u64) -> u64 {
    x
}

/// How many of a hundred answers are near.
fn near_of(function: fn(u64) -> u64) -> u64 {
    let (cache, _) = timed("o_near");
    (0..100).for_each(|x| assert_eq!(function(x), x));
    let before = cache.stats();
    (0..100).for_each(|x| assert_eq!(function(x), x));
    let after = cache.stats();
    assert_eq!(after.computed, before.computed, "the others are in the store");
    after.near_hits - before.near_hits
}

#[test]
fn it_bounds_the_near_cache_of_its_function() {
    assert_eq!(near_of(none), 0);
    assert!(near_of(ten) <= 10);
    assert_eq!(near_of(without), 100, "the cache's own is 10,000");
}
