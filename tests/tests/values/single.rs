//! One key: set, get, add, contains, delete.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use keyedcache::store::Store;
use keyedcache::{ErrorKind, NotCachedReason, Timeout, cache_key};
use keyedcache_tests::faulty::{Faulty, Operation};
use serde::{Deserialize, Serialize};

use crate::ground::{SECOND, on_each_store, why_not};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Product {
    id: u64,
    name: String,
    tags: BTreeMap<String, Option<f64>>,
}

#[test]
fn what_is_set_is_got() {
    on_each_store(|on| {
        let cache = on.cache();
        let tags = BTreeMap::from([("new".to_owned(), None), ("price".to_owned(), Some(1.5))]);
        let product = Product { id: 7, name: "chair".into(), tags };
        cache.set(cache_key!("product", 7), &product).wait().unwrap();
        assert_eq!(cache.get::<Product>(cache_key!("product", 7)).wait().unwrap(), product);
        assert_eq!(on.cache().get::<Product>(cache_key!(product = 7)).wait().unwrap(), product);
        assert!(cache.contains(cache_key!("product", 7)).wait());
    });
}

#[test]
fn what_was_never_set_is_absent_and_says_its_key() {
    on_each_store(|on| {
        let error = on.cache().get::<u8>(cache_key!("product", 7)).wait().unwrap_err();
        assert_eq!(error.reason, NotCachedReason::Absent);
        assert_eq!(error.key, "product::7");
        assert_eq!(error.to_string(), "product::7 is not cached: nothing is stored under it");
        assert!(!on.cache().contains(cache_key!("product", 7)).wait());
    });
}

#[test]
fn a_later_set_replaces_for_every_cache() {
    on_each_store(|on| {
        let (one, other) = (on.cache(), on.cache());
        let key = || cache_key!("product", 7);
        one.set(key(), &1).wait().unwrap();
        assert_eq!(other.get::<i32>(key()).wait().ok(), Some(1));
        one.set(key(), &2).wait().unwrap();
        assert_eq!(other.get::<i32>(key()).wait().ok(), Some(2));
        other.set(key(), &3).wait().unwrap();
        assert_eq!(one.get::<i32>(key()).wait().ok(), Some(3));
    });
}

#[test]
fn a_stored_none_is_a_value() {
    on_each_store(|on| {
        let cache = on.cache();
        cache.set(cache_key!("maybe"), &None::<u8>).wait().unwrap();
        assert_eq!(on.cache().get::<Option<u8>>(cache_key!("maybe")).wait().ok(), Some(None));
        assert!(cache.contains(cache_key!("maybe")).wait());
        assert!(!cache.add(cache_key!("maybe"), &Some(1)).wait().unwrap());
    });
}

#[test]
fn what_is_read_as_another_type_is_undecodable_and_stays() {
    on_each_store(|on| {
        let cache = on.cache();
        cache.set(cache_key!("text"), "seven").wait().unwrap();
        let error = on.cache().get::<u64>(cache_key!("text")).wait().unwrap_err();
        assert_eq!(error.reason, NotCachedReason::Undecodable);
        let source = std::error::Error::source(&error).expect("the codec says why").to_string();
        assert!(source.contains("u64") && !source.contains("seven"), "{source}");
        assert_eq!(cache.get::<String>(cache_key!("text")).wait().ok().as_deref(), Some("seven"));
    });
}

#[test]
fn a_zero_timeout_stores_nothing_and_removes_what_was_there() {
    on_each_store(|on| {
        let cache = on.cache();
        let key = || cache_key!("product", 7);
        cache.set(key(), &1).wait().unwrap();
        cache.set(key(), &2).timeout(Duration::ZERO).wait().unwrap();
        assert_eq!(why_not(cache.get::<i32>(key()).wait()), Some(NotCachedReason::Absent));
        assert_eq!(why_not(on.cache().get::<i32>(key()).wait()), Some(NotCachedReason::Absent));
        assert!(!cache.add(key(), &3).timeout(Duration::ZERO).wait().unwrap());
        assert!(!cache.contains(key()).wait());
    });
}

#[test]
fn add_stores_only_where_nothing_is() {
    on_each_store(|on| {
        let cache = on.cache();
        let key = || cache_key!("lock");
        assert!(cache.add(key(), &1).timeout(SECOND).wait().unwrap());
        assert!(!cache.add(key(), &2).wait().unwrap());
        assert_eq!(cache.get::<i32>(key()).wait().ok(), Some(1));
        on.clock.advance(SECOND);
        assert!(cache.add(key(), &3).timeout(Timeout::Never).wait().unwrap());
        cache.delete(key()).wait().unwrap();
        assert!(cache.add(key(), &4).wait().unwrap());
        cache.clear().wait().unwrap();
        assert!(cache.add(key(), &5).wait().unwrap());
        assert_eq!(on.cache().get::<i32>(key()).wait().ok(), Some(5));
    });
}

#[test]
fn of_many_that_add_at_once_one_wins() {
    const MANY: usize = 8;
    on_each_store(|on| {
        let caches = [on.cache(), on.cache()];
        for round in 0..20 {
            let start = Barrier::new(MANY);
            let winners: Vec<usize> = thread::scope(|scope| {
                let add = |who: usize| {
                    let (cache, start) = (&caches[who % 2], &start);
                    scope.spawn(move || {
                        start.wait();
                        cache.add(cache_key!("lock", round), &who).wait().unwrap().then_some(who)
                    })
                };
                let adding: Vec<_> = (0..MANY).map(add).collect();
                adding.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
            });
            let stored = caches[0].get::<usize>(cache_key!("lock", round)).wait().unwrap();
            assert_eq!(winners, [stored]);
        }
    });
}

#[test]
fn what_was_added_is_there_though_another_and_a_clear_came_between() {
    on_each_store(|on| {
        let faulty = Faulty::new(Arc::clone(&on.store));
        let cache = on.builder().store(Arc::clone(&faulty) as Arc<dyn Store>).build().unwrap();
        let other = on.cache();
        let clock = on.clock.clone();
        faulty.interrupt(Operation::Save, move || {
            // The save finds another record; who looks again finds that its time is over.
            other.clear().wait().unwrap();
            let stale = Duration::from_mins(1);
            other
                .get_or_set(cache_key!("lock"))
                .timeout(SECOND)
                .stale(stale)
                .compute(async || 2)
                .wait();
            clock.advance(SECOND);
        });
        assert!(cache.add(cache_key!("lock"), &3).wait().unwrap());
        assert_eq!(on.cache().get::<i32>(cache_key!("lock")).wait().ok(), Some(3));
    });
}

#[test]
fn delete_says_whether_it_was_there() {
    on_each_store(|on| {
        let cache = on.cache();
        cache.set(cache_key!("a"), &1).wait().unwrap();
        cache.set(cache_key!("a", "b"), &2).wait().unwrap();
        let other = on.cache();
        assert_eq!(other.get::<i32>(cache_key!("a")).wait().ok(), Some(1));
        assert_eq!(cache.delete(cache_key!("a")).wait().unwrap(), 1);
        assert_eq!(cache.delete(cache_key!("a")).wait().unwrap(), 0);
        assert_eq!(
            why_not(other.get::<i32>(cache_key!("a")).wait()),
            Some(NotCachedReason::Absent)
        );
        assert_eq!(other.get::<i32>(cache_key!("a", "b")).wait().ok(), Some(2));
    });
}

#[test]
fn deleting_the_children_leaves_neighbours() {
    on_each_store(|on| {
        let (cache, other) = (on.cache(), on.cache());
        let long = "x".repeat(300);
        let below = [
            cache_key!("a", 1),
            cache_key!("a", 1, "b"),
            cache_key!("a", 1, "b", "c"),
            cache_key!("a", 1, long.as_str()),
            cache_key!("a", 1, long.as_str(), "c"),
        ];
        let beside = [
            cache_key!("a"),
            cache_key!("a", 12),
            cache_key!("a", 2, "b"),
            cache_key!("a::1", "b"),
        ];
        for key in below.iter().chain(&beside) {
            cache.set(key.clone(), &1).wait().unwrap();
            assert!(other.get::<i32>(key.clone()).wait().is_ok());
        }
        cache.delete(cache_key!("a", 1)).children().wait().unwrap();
        for key in below {
            assert!(other.get::<i32>(key.clone()).wait().is_err(), "{key}");
            assert!(!cache.contains(key.clone()).wait(), "{key}");
        }
        for key in beside {
            assert!(other.get::<i32>(key.clone()).wait().is_ok(), "{key}");
        }
    });
}

#[test]
fn the_children_of_a_key_that_was_cut_are_deleted_too() {
    on_each_store(|on| {
        let (cache, other) = (on.cache(), on.cache());
        let (one, two) = ("x".repeat(300), "x".repeat(301));
        let (below, beside) = (cache_key!(one.as_str(), "b"), cache_key!(two.as_str(), "b"));
        for key in [&below, &beside] {
            cache.set(key.clone(), &1).wait().unwrap();
        }
        cache.delete(cache_key!(one.as_str())).children().wait().unwrap();
        assert!(other.get::<i32>(below).wait().is_err());
        assert!(other.get::<i32>(beside).wait().is_ok());
    });
}

#[test]
fn what_cannot_be_encoded_is_an_error_and_leaves_what_was_there() {
    struct Refusing;
    impl Serialize for Refusing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    on_each_store(|on| {
        let cache = on.cache();
        cache.set(cache_key!("a"), &1).wait().unwrap();
        let error = cache.set(cache_key!("a"), &Refusing).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        let said = error.to_string();
        assert!(said.contains("`Serialize` failed") && said.contains("key a"), "{said}");
        assert_eq!(cache.get::<i32>(cache_key!("a")).wait().ok(), Some(1));
        assert_eq!(
            cache.add(cache_key!("b"), &Refusing).wait().unwrap_err().kind(),
            ErrorKind::Encode
        );
    });
}
