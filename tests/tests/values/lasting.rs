//! How long values last: timeouts, touch, ttl, persist.

use std::time::Duration;

use keyedcache::{CacheTtl, NotCachedReason, Timeout, cache_key};

use crate::ground::{MINUTE, SECOND, on_each_store, why_not};

#[test]
fn a_value_lasts_for_the_caches_timeout_or_its_own() {
    on_each_store(|on| {
        let cache = on.builder().timeout(2 * MINUTE).build().unwrap();
        cache.set(cache_key!("default"), &1).wait().unwrap();
        cache.set(cache_key!("own"), &1).timeout(MINUTE).wait().unwrap();
        cache.set(cache_key!("ever"), &1).timeout(Timeout::Never).wait().unwrap();
        let there = || {
            ["default", "own", "ever"].map(|name| cache.get::<i32>(cache_key!(name)).wait().is_ok())
        };
        on.clock.advance(MINUTE - SECOND);
        assert_eq!(there(), [true, true, true]);
        on.clock.advance(SECOND);
        assert_eq!(there(), [true, false, true]);
        on.clock.advance(MINUTE);
        assert_eq!(there(), [false, false, true]);
        on.clock.advance(Duration::from_hours(1_000_000));
        assert_eq!(there(), [false, false, true]);
    });
}

#[test]
fn a_stale_value_counts_as_expired() {
    on_each_store(|on| {
        let cache = on.builder().stale(MINUTE).build().unwrap();
        cache.set(cache_key!("a"), &1).timeout(MINUTE).wait().unwrap();
        on.clock.advance(MINUTE);
        assert_eq!(
            why_not(cache.get::<i32>(cache_key!("a")).wait()),
            Some(NotCachedReason::Expired)
        );
        assert_eq!(cache.ttl(cache_key!("a")).wait().unwrap(), CacheTtl::NoKey);
        assert!(!cache.contains(cache_key!("a")).wait());
        assert!(!cache.touch(cache_key!("a"), MINUTE).wait().unwrap());
        assert!(cache.increment(cache_key!("a"), 1).wait().is_err());
        assert!(cache.add(cache_key!("a"), &2).wait().unwrap());
    });
}

#[test]
fn ttl_has_three_answers() {
    on_each_store(|on| {
        let cache = on.cache();
        cache.set(cache_key!("own"), &1).timeout(MINUTE).wait().unwrap();
        cache.set(cache_key!("ever"), &1).timeout(Timeout::Never).wait().unwrap();
        on.clock.advance(SECOND);
        let ttl = |name| cache.ttl(cache_key!(name)).wait().unwrap();
        assert_eq!(ttl("none"), CacheTtl::NoKey);
        assert_eq!(ttl("ever"), CacheTtl::NoExpiry);
        assert_eq!(ttl("own"), CacheTtl::Left(MINUTE - SECOND));
    });
}

#[test]
fn touch_gives_another_life_from_now_on() {
    on_each_store(|on| {
        let (cache, other) = (on.cache(), on.cache());
        let key = || cache_key!("a");
        assert!(!cache.touch(key(), MINUTE).wait().unwrap());
        cache.set(key(), &1).timeout(MINUTE).wait().unwrap();
        assert!(other.get::<i32>(key()).wait().is_ok());
        on.clock.advance(MINUTE - SECOND);
        assert!(cache.touch(key(), MINUTE).wait().unwrap());
        on.clock.advance(MINUTE - SECOND);
        assert_eq!(other.get::<i32>(key()).wait().ok(), Some(1));
        on.clock.advance(SECOND);
        assert!(other.get::<i32>(key()).wait().is_err());
        assert!(!cache.touch(key(), MINUTE).wait().unwrap());
    });
}

#[test]
fn a_shorter_touch_is_heard_by_near_caches() {
    on_each_store(|on| {
        let (cache, other) = (on.cache(), on.cache());
        let key = || cache_key!("a");
        cache.set(key(), &1).timeout(MINUTE).wait().unwrap();
        assert!(cache.get::<i32>(key()).wait().is_ok());
        assert!(other.get::<i32>(key()).wait().is_ok());
        assert!(cache.touch(key(), SECOND).wait().unwrap());
        on.clock.advance(SECOND);
        assert!(cache.get::<i32>(key()).wait().is_err());
        assert!(other.get::<i32>(key()).wait().is_err());
    });
}

#[test]
fn a_zero_touch_deletes() {
    on_each_store(|on| {
        let cache = on.cache();
        cache.set(cache_key!("a"), &1).wait().unwrap();
        assert!(cache.touch(cache_key!("a"), Duration::ZERO).wait().unwrap());
        assert!(!cache.contains(cache_key!("a")).wait());
        assert!(!cache.touch(cache_key!("a"), Duration::ZERO).wait().unwrap());
    });
}

#[test]
fn persist_lets_it_live_for_ever() {
    on_each_store(|on| {
        let cache = on.cache();
        cache.set(cache_key!("a"), &1).timeout(MINUTE).wait().unwrap();
        assert!(cache.persist(cache_key!("a")).wait().unwrap());
        assert!(!cache.persist(cache_key!("b")).wait().unwrap());
        on.clock.advance(Duration::from_hours(1_000_000));
        assert_eq!(cache.get::<i32>(cache_key!("a")).wait().ok(), Some(1));
        assert_eq!(cache.ttl(cache_key!("a")).wait().unwrap(), CacheTtl::NoExpiry);
    });
}
