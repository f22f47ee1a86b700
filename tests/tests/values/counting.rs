//! Counters.

use std::collections::HashMap;
use std::time::Duration;

use keyedcache::{Cache, CacheTtl, ErrorKind, Timeout, cache_increment, cache_key};
use keyedcache_tests::child::{Child, hear, role, say};

use crate::ground::{MINUTE, SECOND, on_each_store};

#[test]
fn what_is_missing_is_an_error_unless_a_start_is_given() {
    on_each_store(|on| {
        let cache = on.cache();
        let error = cache.increment(cache_key!("hits"), 1).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotCached);
        assert!(error.to_string().contains("starting_at"), "{error}");
        assert_eq!(cache.increment(cache_key!("hits"), 2).starting_at(40).wait().unwrap(), 42);
        assert_eq!(cache.increment(cache_key!("hits"), 2).starting_at(0).wait().unwrap(), 44);
        assert_eq!(cache.decrement(cache_key!("hits"), 50).wait().unwrap(), -6);
    });
}

#[test]
fn a_counter_is_read_as_a_number() {
    on_each_store(|on| {
        let cache = on.cache();
        cache.increment(cache_key!("hits"), 7).starting_at(0).wait().unwrap();
        assert_eq!(cache.get::<i64>(cache_key!("hits")).wait().ok(), Some(7));
        assert_eq!(on.cache().get::<u8>(cache_key!("hits")).wait().ok(), Some(7));
        assert!(on.cache().get::<String>(cache_key!("hits")).wait().is_err());
        let many = cache.get_many::<i64>([cache_key!("hits")]).wait();
        assert_eq!(many, HashMap::from([(cache_key!("hits"), 7)]));
    });
}

#[test]
fn near_caches_hear_of_increments() {
    on_each_store(|on| {
        let (cache, other) = (on.cache(), on.cache());
        cache.set(cache_key!("hits"), &1).wait().unwrap();
        for sum in 2..5_i64 {
            assert_eq!(cache.increment(cache_key!("hits"), 1).wait().unwrap(), sum);
            assert_eq!(cache.get::<i64>(cache_key!("hits")).wait().ok(), Some(sum));
            assert_eq!(other.get::<i64>(cache_key!("hits")).wait().ok(), Some(sum));
        }
    });
}

#[test]
fn a_number_that_was_set_becomes_a_counter() {
    on_each_store(|on| {
        for codec in [keyedcache::codec::Codec::MessagePack, keyedcache::codec::Codec::Json] {
            let cache = on.builder().codec(codec).build().unwrap();
            cache.set(cache_key!("hits"), &41_u8).timeout(MINUTE).wait().unwrap();
            on.clock.advance(SECOND);
            assert_eq!(cache.increment(cache_key!("hits"), 1).wait().unwrap(), 42);
            assert_eq!(cache.get::<u8>(cache_key!("hits")).wait().ok(), Some(42));
            assert_eq!(
                cache.ttl(cache_key!("hits")).wait().unwrap(),
                CacheTtl::Left(MINUTE - SECOND)
            );
        }
    });
}

#[test]
fn counting_keeps_the_expiry() {
    on_each_store(|on| {
        let cache = on.cache();
        let count = || {
            cache.increment(cache_key!("hits"), 1).starting_at(0).timeout(MINUTE).wait().unwrap()
        };
        assert_eq!(count(), 1);
        on.clock.advance(MINUTE - SECOND);
        assert_eq!(count(), 2);
        assert_eq!(cache.ttl(cache_key!("hits")).wait().unwrap(), CacheTtl::Left(SECOND));
        on.clock.advance(SECOND);
        assert_eq!(count(), 1);
    });
}

#[test]
fn a_counter_may_be_started_for_ever_or_not_be_kept_at_all() {
    on_each_store(|on| {
        let cache = on.cache();
        let start = |name, timeout: Timeout| {
            cache.increment(cache_key!(name), 1).starting_at(0).timeout(timeout).wait().unwrap()
        };
        assert_eq!(start("ever", Timeout::Never), 1);
        assert_eq!(cache.ttl(cache_key!("ever")).wait().unwrap(), CacheTtl::NoExpiry);
        assert_eq!(start("not", Duration::ZERO.into()), 1);
        assert!(!cache.contains(cache_key!("not")).wait());
    });
}

#[test]
fn what_is_no_number_or_does_not_fit_is_an_error_and_stays() {
    on_each_store(|on| {
        let cache = on.cache();
        cache.set(cache_key!("text"), "x").wait().unwrap();
        let error = cache.increment(cache_key!("text"), 1).starting_at(0).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotACounter);
        assert_eq!(cache.get::<String>(cache_key!("text")).wait().ok().as_deref(), Some("x"));

        cache.set(cache_key!("most"), &i64::MAX).wait().unwrap();
        for _ in 0..2 {
            let error = cache.increment(cache_key!("most"), 1).wait().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotACounter);
            assert_eq!(cache.get::<i64>(cache_key!("most")).wait().ok(), Some(i64::MAX));
            assert_eq!(cache.increment(cache_key!("most"), 0).wait().unwrap(), i64::MAX);
        }
        let error = cache.decrement(cache_key!("most"), i64::MIN).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotACounter);
        let error = cache.increment(cache_key!("new"), 1).starting_at(i64::MAX).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotACounter);
        assert!(!cache.contains(cache_key!("new")).wait());
    });
}

#[test]
fn increments_of_four_processes_all_take_place() {
    const PROCESSES: u64 = 4;
    const EACH: u64 = 500;
    if role().is_some() {
        say("ready");
        hear().expect("the word to start");
        for _ in 0..EACH {
            // All start it, one does: the rest add to what that one started.
            cache_increment(cache_key!("started"), 1).starting_at(0).wait().unwrap();
            cache_increment(cache_key!("set"), 1).wait().unwrap();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("disk:{}", folder.path().display());
    let cache = Cache::from_url(&url).unwrap();
    cache.set(cache_key!("set"), &0).wait().unwrap();
    let test = "counting::increments_of_four_processes_all_take_place";
    let mut processes: Vec<_> =
        (0..PROCESSES).map(|_| Child::in_role(test, "counter", &url)).collect();
    for process in &processes {
        process.expect("ready");
    }
    for process in &mut processes {
        process.say("start");
    }
    processes.into_iter().for_each(Child::finish);
    for name in ["started", "set"] {
        assert_eq!(
            cache.get::<u64>(cache_key!(name)).wait().ok(),
            Some(PROCESSES * EACH),
            "{name}"
        );
    }
}
