//! The answers of cached functions, read by hand under the keys of their calls.

use keyedcache::{Cache, CacheTtl, Key, KeyPart, cache_delete_function, cached};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::alone;

use crate::ground::{MINUTE, SECOND, on_each_store};

static RUNS: Gate = Gate::new();

#[cached(timeout = 60, cache = "calls")]
fn none() -> usize {
    RUNS.pass()
}

#[cached(timeout = 60, cache = "calls")]
fn one(x: u8) -> usize {
    RUNS.pass() + usize::from(x)
}

#[cached(timeout = 60, cache = "calls", name = "of-three")]
fn three(a: u8, b: &str, c: Option<u8>) -> usize {
    RUNS.pass() + usize::from(a) + b.len() + usize::from(c.is_some())
}

#[cached(timeout = 60, cache = "calls", version = 7)]
fn versioned(x: u8) -> usize {
    RUNS.pass() + usize::from(x)
}

#[cached(timeout = 60, cache = "calls")]
fn generic<T: KeyPart, const N: usize>(x: T) -> usize {
    let _ = x;
    RUNS.pass() + N
}

#[cached(timeout = 60, cache = "calls", scope(a, (a, b)))]
fn scoped(a: u8, b: &str) -> usize {
    RUNS.pass() + usize::from(a) + b.len()
}

/// A function whose answer has a key.
struct Call {
    key: fn() -> Key,
    answer: fn() -> usize,
    refresh: fn() -> usize,
    invalidate: fn(),
    invalidate_all: fn(),
}

const CALLS: [Call; 6] = [
    Call {
        key: none::key,
        answer: none,
        refresh: || none::refresh().wait(),
        invalidate: || none::invalidate().wait().unwrap(),
        invalidate_all: || none::invalidate_all().wait().unwrap(),
    },
    Call {
        key: || one::key(1),
        answer: || one(1),
        refresh: || one::refresh(1).wait(),
        invalidate: || one::invalidate(1).wait().unwrap(),
        invalidate_all: || one::invalidate_all().wait().unwrap(),
    },
    Call {
        key: || three::key(1, "b", None),
        answer: || three(1, "b", None),
        refresh: || three::refresh(1, "b", None).wait(),
        invalidate: || three::invalidate(1, "b", None).wait().unwrap(),
        invalidate_all: || three::invalidate_all().wait().unwrap(),
    },
    Call {
        key: || versioned::key(1),
        answer: || versioned(1),
        refresh: || versioned::refresh(1).wait(),
        invalidate: || versioned::invalidate(1).wait().unwrap(),
        invalidate_all: || versioned::invalidate_all().wait().unwrap(),
    },
    Call {
        key: || generic::key::<u8, 3>(1),
        answer: || generic::<u8, 3>(1),
        refresh: || generic::refresh::<u8, 3>(1).wait(),
        invalidate: || generic::invalidate::<u8, 3>(1).wait().unwrap(),
        invalidate_all: || generic::invalidate_all().wait().unwrap(),
    },
    Call {
        key: || scoped::key(1, "b"),
        answer: || scoped(1, "b"),
        refresh: || scoped::refresh(1, "b").wait(),
        invalidate: || cache_delete_function!(scoped(1, _)).wait().unwrap(),
        invalidate_all: || scoped::invalidate_all().wait().unwrap(),
    },
];

/// Runs a test of every call on each store, one test at a time: they have one alias.
fn of_each_call(test: impl Fn(&Cache, &Call)) {
    let _alone = alone();
    on_each_store(|on| {
        for call in &CALLS {
            println!("{}", (call.key)());
            let cache = on.cache();
            cache.register("calls").unwrap();
            test(&cache, call);
            cache.clear().wait().unwrap();
        }
    });
}

/// What stands under the key of the call, once all ways to ask agree.
fn got(cache: &Cache, call: &Call) -> Option<usize> {
    let got = cache.get::<usize>((call.key)()).wait().ok();
    assert_eq!(cache.contains((call.key)()).wait(), got.is_some());
    assert_eq!(cache.ttl((call.key)()).wait().unwrap() == CacheTtl::NoKey, got.is_none());
    assert_eq!(cache.get_many::<usize>([(call.key)()]).wait().remove(&(call.key)()), got);
    got
}

#[test]
fn the_answer_of_a_call_is_there_under_its_key() {
    of_each_call(|cache, call| {
        assert_eq!(got(cache, call), None);
        let answer = (call.answer)();
        assert_eq!(got(cache, call), Some(answer));
        assert_eq!(cache.ttl((call.key)()).wait().unwrap(), CacheTtl::Left(MINUTE));
        assert!(cache.touch((call.key)(), SECOND).wait().unwrap());
        assert_eq!(cache.ttl((call.key)()).wait().unwrap(), CacheTtl::Left(SECOND));
        assert!(cache.persist((call.key)()).wait().unwrap());
        assert_eq!(cache.ttl((call.key)()).wait().unwrap(), CacheTtl::NoExpiry);
        assert_eq!(
            cache.increment((call.key)(), 0).wait().unwrap(),
            i64::try_from(answer).unwrap()
        );
        assert_eq!((call.answer)(), answer);
    });
}

#[test]
fn the_answer_of_a_call_is_gone_under_its_key_once_it_is_forgotten() {
    of_each_call(|cache, call| {
        let ways: [&dyn Fn(); 4] = [
            &|| (call.invalidate)(),
            &|| (call.invalidate_all)(),
            &|| assert_eq!(cache.delete((call.key)()).wait().unwrap(), 1),
            &|| assert_eq!(cache.clear().wait().unwrap(), 1),
        ];
        for forget in ways {
            let answer = (call.answer)();
            assert_eq!(got(cache, call), Some(answer));
            forget();
            assert_eq!(got(cache, call), None);
            assert_ne!((call.answer)(), answer);
            forget();
        }
    });
}

#[test]
fn a_refreshed_answer_is_read_under_its_key_at_once() {
    of_each_call(|cache, call| {
        let answer = (call.answer)();
        for _ in 0..2 {
            assert_eq!(got(cache, call), Some(answer), "from now on it may be kept near");
        }
        let refreshed = (call.refresh)();
        assert_ne!(refreshed, answer);
        assert_eq!(got(cache, call), Some(refreshed));
        assert_eq!((call.answer)(), refreshed);
    });
}

#[test]
fn what_is_set_under_the_key_of_a_call_answers_it() {
    of_each_call(|cache, call| {
        cache.set((call.key)(), &1_000_usize).wait().unwrap();
        assert_eq!((call.answer)(), 1_000);
        (call.invalidate_all)();
        assert_ne!((call.answer)(), 1_000);
    });
}
