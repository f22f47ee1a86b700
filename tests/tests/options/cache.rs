//! `cache`: which registered cache keeps the answers.

use keyedcache::cached;
use keyedcache_tests::place::timed;

#[cached(cache = "o_cache")]
fn with() -> u8 {
    7
}

#[test]
fn answers_are_in_the_cache_of_this_alias() {
    let (cache, _) = timed("o_cache");
    let (other, _) = timed("o_cache_other");
    assert_eq!(with(), 7);
    assert_eq!((cache.stats().saved, other.stats().saved), (1, 0));
    assert_eq!(cache.get::<u8>(with::key()).wait().ok(), Some(7));
}

#[cached]
fn without() -> u8 {
    7
}

#[test]
fn without_it_they_are_in_the_default_one() {
    let (cache, _) = timed("default");
    assert_eq!(without(), 7);
    assert_eq!(cache.get::<u8>(without::key()).wait().ok(), Some(7));
}
