//! Many keys in one request.

use std::collections::HashMap;

use keyedcache::{ErrorKind, Key, cache_key};

use crate::ground::{MINUTE, on_each_store};

fn keys(names: &[&str]) -> Vec<Key> {
    names.iter().map(|name| cache_key!(*name)).collect()
}

#[test]
fn what_is_there_is_got_and_the_rest_left_out() {
    on_each_store(|on| {
        let cache = on.cache();
        let entries = [(cache_key!("a"), &1), (cache_key!("b", "c"), &2)];
        cache.set_many(entries).wait().unwrap();
        cache.set(cache_key!("text"), "x").wait().unwrap();
        cache.set(cache_key!("ended"), &3).timeout(MINUTE).wait().unwrap();
        on.clock.advance(MINUTE);
        let mut asked = keys(&["a", "missing", "text", "ended", "a"]);
        asked.push(cache_key!("b", "c"));
        let found = on.cache().get_many::<i32>(asked).wait();
        assert_eq!(found, HashMap::from([(cache_key!("a"), 1), (cache_key!("b", "c"), 2)]));
    });
}

#[test]
fn one_that_cannot_be_read_is_counted_and_does_not_hide_the_others() {
    on_each_store(|on| {
        let cache = on.cache();
        cache.set(cache_key!("text"), "x").wait().unwrap();
        cache.set(cache_key!("a"), &1).wait().unwrap();
        assert_eq!(cache.get_many::<i32>(keys(&["text", "a", "none"])).wait().len(), 1);
        let stats = cache.stats();
        assert_eq!((stats.store_hits, stats.misses, stats.undecodable), (1, 2, 1));
    });
}

#[test]
fn what_was_set_many_lasts_as_what_was_set() {
    on_each_store(|on| {
        let cache = on.builder().timeout(MINUTE).build().unwrap();
        cache.set_many([(cache_key!("a"), &1)]).wait().unwrap();
        on.clock.advance(MINUTE);
        assert!(cache.get_many::<i32>(keys(&["a"])).wait().is_empty());
    });
}

#[test]
fn delete_many_says_how_many_were_there() {
    on_each_store(|on| {
        let (cache, other) = (on.cache(), on.cache());
        for name in ["a", "b", "c"] {
            cache.set(cache_key!(name), &1).wait().unwrap();
            assert!(other.get::<i32>(cache_key!(name)).wait().is_ok());
        }
        assert_eq!(cache.delete_many(keys(&["a", "b", "none"])).wait().unwrap(), 2);
        assert!(other.get::<i32>(cache_key!("a")).wait().is_err());
        assert!(other.get::<i32>(cache_key!("c")).wait().is_ok());
    });
}

#[test]
fn empty_lists_are_nothing_to_do() {
    on_each_store(|on| {
        let cache = on.cache();
        assert_eq!(cache.get_many::<i32>([]).wait(), HashMap::new());
        cache.set_many::<i32>([]).wait().unwrap();
        assert_eq!(cache.delete_many([]).wait().unwrap(), 0);
    });
}

#[test]
fn an_error_among_many_says_at_which_key() {
    on_each_store(|on| {
        let cache = on.cache();
        let too_large = vec![0_u8; (64 << 20) + 1];
        let small = vec![0_u8];
        let entries =
            [(cache_key!("a"), &small), (cache_key!("b"), &too_large), (cache_key!("c"), &small)];
        let error = cache.set_many(entries).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("key b"), "{error}");
        let there = ["a", "b", "c"].map(|name| cache.contains(cache_key!(name)).wait());
        assert_eq!(there, [true, false, false]);
    });
}
