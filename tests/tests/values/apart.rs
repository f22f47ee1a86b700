//! Prefixes and versions keep caches on one store apart.

use keyedcache::{ErrorKind, cache_key, cached};

use crate::ground::on_each_store;

#[test]
fn caches_with_other_prefixes_never_see_each_other() {
    on_each_store(|on| {
        let named = |prefix: &str| on.builder().prefix(prefix).build().unwrap();
        let (shop, shop2, other) = (named("shop"), named("shop2"), named("a"));
        let key = || cache_key!("a", 1);
        shop.set(key(), &1).wait().unwrap();
        assert!(shop2.get::<i32>(key()).wait().is_err());
        assert!(other.get::<i32>(key()).wait().is_err());
        assert!(shop2.add(key(), &2).wait().unwrap());
        other.set(key(), &3).wait().unwrap();
        let seen = || [&shop, &shop2, &other].map(|cache| cache.get::<i32>(key()).wait().ok());
        assert_eq!(seen(), [Some(1), Some(2), Some(3)]);
        shop.clear().wait().unwrap();
        assert_eq!(seen(), [None, Some(2), Some(3)]);
        shop2.delete(cache_key!("a")).children().wait().unwrap();
        assert_eq!(seen(), [None, None, Some(3)]);
        assert_eq!(other.increment(key(), 1).wait().unwrap(), 4);
        assert_eq!(seen(), [None, None, Some(4)]);
    });
}

#[test]
fn versions_have_values_of_their_own_and_are_forgotten_together() {
    on_each_store(|on| {
        let (one, two) =
            (on.builder().version(1).build().unwrap(), on.builder().version(2).build().unwrap());
        let key = || cache_key!("a", 1);
        let seen = || [&one, &two].map(|cache| cache.get::<i32>(key()).wait().ok());
        one.set(key(), &1).wait().unwrap();
        assert_eq!(seen(), [Some(1), None]);
        two.set(key(), &2).wait().unwrap();
        assert_eq!(seen(), [Some(1), Some(2)]);
        assert_eq!(one.delete(key()).wait().unwrap(), 1);
        assert_eq!(seen(), [None, Some(2)]);
        one.set(key(), &1).wait().unwrap();
        one.delete(cache_key!("a")).children().wait().unwrap();
        assert_eq!(seen(), [None, None]);
        one.set(key(), &1).wait().unwrap();
        two.set(key(), &2).wait().unwrap();
        two.clear().wait().unwrap();
        assert_eq!(seen(), [None, None]);
    });
}

#[cached(timeout = 60, cache = "sessions")]
fn session(id: u32) -> u32 {
    static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    id + RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[test]
fn a_named_cache_serves_the_functions_that_name_it_and_may_be_replaced() {
    on_each_store(|on| {
        let (first, second) = (
            on.builder().prefix("first").build().unwrap(),
            on.builder().prefix("second").build().unwrap(),
        );
        first.register("sessions").unwrap();
        let answer = session(0);
        assert_eq!(session(0), answer);
        assert_eq!(first.stats().computed, 1);
        second.register("sessions").unwrap();
        assert_ne!(session(0), answer);
        assert_eq!((first.stats().computed, second.stats().computed), (1, 1));
        first.register("sessions").unwrap();
        assert_eq!(session(0), answer);
    });
}

#[test]
fn an_unknown_alias_is_an_error_that_lists_what_is_registered() {
    on_each_store(|on| {
        on.cache().register("listed").unwrap();
        let error = keyedcache::Cache::named("unlisted").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let said = error.to_string();
        assert!(said.contains("`unlisted`") && said.contains("listed"), "{said}");
        let error = on.cache().register("not an alias").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    });
}
