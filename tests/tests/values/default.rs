//! The free functions, on the default cache, which says nothing and so is in memory; enabling;
//! statistics.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyedcache::{
    CacheTtl, NotCachedReason, cache_add, cache_clear, cache_contains, cache_decrement,
    cache_delete, cache_delete_many, cache_enable, cache_enabled, cache_get, cache_get_many,
    cache_get_or_set, cache_increment, cache_key, cache_persist, cache_require, cache_set,
    cache_set_many, cache_stats, cache_touch, cache_ttl, cached,
};

use crate::ground::{MINUTE, on_each_store, why_not};

/// Held by each test that uses the default cache of this process.
static DEFAULT: Mutex<()> = Mutex::new(());

#[test]
fn every_function_works_on_the_default_cache() {
    let _alone = DEFAULT.lock();
    cache_clear().wait().unwrap();
    cache_set(cache_key!("a"), &1).timeout(MINUTE).wait().unwrap();
    assert_eq!(
        keyedcache::Cache::named("default").unwrap().get::<i32>(cache_key!("a")).wait().ok(),
        Some(1)
    );
    assert_eq!(cache_get::<i32>(cache_key!("a")).wait().ok(), Some(1));
    assert!(!cache_add(cache_key!("a"), &2).wait().unwrap());
    assert!(cache_contains(cache_key!("a")).wait());
    assert!(cache_touch(cache_key!("a"), 30).wait().unwrap());
    assert!(
        matches!(cache_ttl(cache_key!("a")).wait(), Ok(CacheTtl::Left(left)) if left <= MINUTE / 2)
    );
    assert!(cache_persist(cache_key!("a")).wait().unwrap());
    assert_eq!(cache_ttl(cache_key!("a")).wait().unwrap(), CacheTtl::NoExpiry);
    assert_eq!(cache_increment(cache_key!("a"), 4).wait().unwrap(), 5);
    assert_eq!(cache_decrement(cache_key!("a"), 1).wait().unwrap(), 4);
    assert_eq!(cache_get_or_set(cache_key!("a")).compute(async || 9).wait(), 4);
    cache_set_many([(cache_key!("b"), &2), (cache_key!("c"), &3)]).wait().unwrap();
    let found = cache_get_many::<i32>([cache_key!("b"), cache_key!("d")]).wait();
    assert_eq!(found, HashMap::from([(cache_key!("b"), 2)]));
    assert_eq!(cache_delete(cache_key!("b")).wait().unwrap(), 1);
    assert_eq!(cache_delete_many([cache_key!("b"), cache_key!("c")]).wait().unwrap(), 1);
    cache_require().wait().unwrap();
    assert!(cache_stats().store_hits >= 1);
    assert_eq!(cache_clear().wait().unwrap(), 1);
}

#[tokio::test]
async fn every_request_can_be_awaited() {
    let cache = keyedcache::Cache::from_url("memory:").unwrap();
    cache.set(cache_key!("a"), &1).timeout(MINUTE).await.unwrap();
    assert_eq!(cache.get::<i32>(cache_key!("a")).await.ok(), Some(1));
    assert!(!cache.add(cache_key!("a"), &1).await.unwrap());
    assert_eq!(cache.increment(cache_key!("a"), 1).await.unwrap(), 2);
    assert_eq!(cache.delete(cache_key!("a")).children().await.unwrap(), 1);
    cache.require().await.unwrap();
    assert_eq!(cache.clear().await.unwrap(), 0);
    let spawned = tokio::spawn(async move { cache.set(cache_key!("a"), &vec![1]).await });
    spawned.await.unwrap().unwrap();
}

#[test]
fn a_request_does_nothing_before_it_is_waited_for() {
    on_each_store(|on| {
        let cache = on.cache();
        drop(cache.set(cache_key!("a"), &1));
        drop(cache.increment(cache_key!("a"), 1).starting_at(1));
        assert!(!cache.contains(cache_key!("a")).wait());
        cache.set(cache_key!("a"), &1).wait().unwrap();
        drop(cache.delete(cache_key!("a")));
        drop(cache.clear());
        assert!(cache.contains(cache_key!("a")).wait());
    });
}

#[test]
fn a_value_is_computed_once_and_kept_for_its_timeout() {
    on_each_store(|on| {
        let (cache, other) = (on.cache(), on.cache());
        let runs = AtomicUsize::new(0);
        let get = |cache: &keyedcache::Cache, timeout: Duration| {
            let compute = async || runs.fetch_add(1, Ordering::Relaxed);
            let request = cache.get_or_set(cache_key!("report", 7)).timeout(timeout);
            // What computes borrows, so it cannot be `'static`.
            keyedcache_tests::drive::block_on(async { request.compute(compute).await })
        };
        assert_eq!([get(&cache, MINUTE), get(&cache, MINUTE), get(&other, MINUTE)], [0, 0, 0]);
        on.clock.advance(MINUTE);
        assert_eq!([get(&other, MINUTE), get(&cache, MINUTE)], [1, 1]);
        cache.delete(cache_key!("report", 7)).wait().unwrap();
        assert_eq!([get(&cache, Duration::ZERO), get(&cache, Duration::ZERO)], [2, 3]);
        assert!(!other.contains(cache_key!("report", 7)).wait());
    });
}

#[cached(timeout = 60, cache = "switched")]
fn counted(_: u8) -> usize {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    RUNS.fetch_add(1, Ordering::Relaxed)
}

#[test]
fn while_disabled_nothing_is_read_or_stored_and_deletes_take_effect() {
    on_each_store(|on| {
        let (cache, other) = (on.cache(), on.cache());
        cache.register("switched").unwrap();
        let names = ["kept", "deleted", "child", "many", "zero", "touched"];
        for name in names {
            cache.set(cache_key!("v", name), &1).wait().unwrap();
            assert!(cache.get::<i32>(cache_key!("v", name)).wait().is_ok());
        }
        let answer = counted(1);
        assert_eq!(counted(1), answer);

        cache.enable(false);
        assert!(!cache.is_enabled());
        let kept = || cache_key!("v", "kept");
        assert_eq!(why_not(cache.get::<i32>(kept()).wait()), Some(NotCachedReason::Disabled));
        assert!(!cache.contains(kept()).wait());
        assert!(cache.get_many::<i32>([kept()]).wait().is_empty());
        assert_eq!(cache.ttl(kept()).wait().unwrap(), CacheTtl::NoKey);
        cache.set(kept(), &2).wait().unwrap();
        cache.set(cache_key!("new"), &2).wait().unwrap();
        assert!(!cache.add(cache_key!("new"), &2).wait().unwrap());
        assert!(cache.increment(kept(), 1).starting_at(0).wait().is_err());
        assert_eq!(cache.get_or_set(kept()).compute(async || 3).wait(), 3);
        assert_ne!(counted(1), answer);
        cache.delete(cache_key!("v", "deleted")).wait().unwrap();
        cache.delete(cache_key!("v", "child")).children().wait().unwrap();
        cache.delete_many([cache_key!("v", "many")]).wait().unwrap();
        cache.set(cache_key!("v", "zero"), &2).timeout(Duration::ZERO).wait().unwrap();
        cache.touch(cache_key!("v", "touched"), Duration::ZERO).wait().unwrap();
        assert!(other.is_enabled());
        assert_eq!(other.get::<i32>(kept()).wait().ok(), Some(1));

        cache.enable(true);
        let there = names.map(|name| cache.get::<i32>(cache_key!("v", name)).wait().is_ok());
        assert_eq!(there, [true, false, false, false, false, false]);
        assert_eq!(cache.get::<i32>(kept()).wait().ok(), Some(1));
        assert!(!cache.contains(cache_key!("new")).wait());
        assert_eq!(counted(1), answer);

        cache.enable(false);
        counted::invalidate_all().wait().unwrap();
        cache.clear().wait().unwrap();
        cache.enable(true);
        assert_ne!(counted(1), answer);
        assert!(!cache.contains(kept()).wait());
    });
}

#[test]
fn the_default_cache_is_switched_by_its_function() {
    let _alone = DEFAULT.lock();
    cache_enable(false);
    assert!(!cache_enabled());
    assert_eq!(why_not(cache_get::<i32>(cache_key!("x")).wait()), Some(NotCachedReason::Disabled));
    cache_enable(true);
    assert!(cache_enabled());
}

#[test]
fn what_is_done_is_counted() {
    on_each_store(|on| {
        let cache = on.cache();
        let _ = cache.get::<i32>(cache_key!("a")).wait();
        cache.set(cache_key!("a"), &1).wait().unwrap();
        let _ = cache.get::<i32>(cache_key!("a")).wait();
        let _ = cache.get::<i32>(cache_key!("a")).wait();
        let _ = cache.get::<String>(cache_key!("a")).wait();
        let stats = cache.stats();
        assert_eq!((stats.store_hits, stats.near_hits), (1, 1));
        assert_eq!((stats.misses, stats.undecodable, stats.store_errors), (2, 1, 0));
    });
}
