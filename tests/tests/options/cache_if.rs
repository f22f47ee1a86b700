//! `cache_if`: which answers are kept.

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;

#[cached(cache = "o_cache_if", timeout = 60, cache_if = |run| run % 2 == 0)]
fn even() -> usize {
    static GATE: Gate = Gate::new();
    GATE.pass()
}

#[cached(cache = "o_cache_if", timeout = 60)]
fn without() -> usize {
    static GATE: Gate = Gate::new();
    GATE.pass()
}

#[test]
fn only_answers_of_which_it_says_so_are_kept() {
    let (cache, _) = timed("o_cache_if");
    assert_eq!([even(), even(), even()], [1, 2, 2]);
    assert_eq!(cache.stats().declined, 1);
    assert_eq!([without(), without()], [1, 1]);
}
