//! What has been invalidated counts as absent, whoever asks for whatever.

use keyedcache::{Cache, CacheTtl, ErrorKind, Key, NotCachedReason, cache_key};

use crate::ground::{Ground, MINUTE, on_each_store, why_not};

/// How what is under `key` is invalidated while its record stays.
type Way = (&'static str, fn(&Cache));
const WAYS: [Way; 2] = [
    ("the cache", |cache| _ = cache.clear().wait().unwrap()),
    ("a prefix", |cache| _ = cache.delete(cache_key!("a")).children().wait().unwrap()),
];

fn key() -> Key {
    cache_key!("a", 1)
}

/// Puts the record back that an invalidation has removed as well.
fn invalidate_only(on: &Ground, invalidate: fn(&Cache)) {
    let cache = on.cache();
    cache.set(key(), &5).timeout(MINUTE).wait().unwrap();
    let stored = keyedcache::store::StoredKey::new("keyedcache:1:a::1");
    let load = |keys| keyedcache_tests::drive::block_on(on.store.load(keys, &[])).unwrap();
    let record = load(std::slice::from_ref(&stored)).slots[0].record.clone().expect("it was set");
    invalidate(&cache);
    let save = on.store.save(&stored, record, None, keyedcache::store::Guard::Always, &[]);
    assert!(keyedcache_tests::drive::block_on(save).unwrap());
}

#[test]
fn what_has_been_invalidated_counts_as_absent_for_every_operation() {
    for (way, invalidate) in WAYS {
        on_each_store(|on| {
            println!("by {way}");
            invalidate_only(on, invalidate);
            let cache = on.cache();
            assert_eq!(why_not(cache.get::<i32>(key()).wait()), Some(NotCachedReason::Invalidated));
            assert!(!cache.contains(key()).wait());
            assert_eq!(cache.ttl(key()).wait().unwrap(), CacheTtl::NoKey);
            assert!(!cache.touch(key(), MINUTE).wait().unwrap());
            assert!(!cache.persist(key()).wait().unwrap());
            assert!(cache.get_many::<i32>([key()]).wait().is_empty());
            let error = cache.increment(key(), 1).wait().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotCached);
            let computed = cache.get_or_set(key()).timeout(MINUTE).compute(async || 6).wait();
            assert_eq!(computed, 6);
            assert_eq!(on.cache().get::<i32>(key()).wait().ok(), Some(6));

            invalidate_only(on, invalidate);
            assert!(cache.add(key(), &7).wait().unwrap());
            invalidate_only(on, invalidate);
            assert_eq!(cache.increment(key(), 1).starting_at(10).wait().unwrap(), 11);
            assert_eq!(on.cache().get::<i32>(key()).wait().ok(), Some(11));
        });
    }
}

#[test]
fn what_is_set_after_an_invalidation_is_there() {
    for (_, invalidate) in WAYS {
        on_each_store(|on| {
            invalidate_only(on, invalidate);
            let cache = on.cache();
            cache.set(key(), &8).wait().unwrap();
            assert_eq!(on.cache().get::<i32>(key()).wait().ok(), Some(8));
        });
    }
}

#[test]
fn clear_says_how_many_records_there_were() {
    on_each_store(|on| {
        let cache = on.cache();
        for number in 0..10 {
            cache.set(cache_key!("a", number), &number).wait().unwrap();
        }
        assert_eq!(cache.clear().wait().unwrap(), 10);
        assert_eq!(cache.clear().wait().unwrap(), 0);
    });
}
