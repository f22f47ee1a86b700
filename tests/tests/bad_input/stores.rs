//! Stores that fail or never answer, wholly or in one operation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyedcache::store::{MemoryStore, Store};
use keyedcache::{Cache, ErrorKind, NotCachedReason, cache_key, cached};
use keyedcache_tests::faulty::{Fault, Faulty, Operation};
use keyedcache_tests::watchdog::within;

const STORE_TIMEOUT: Duration = Duration::from_millis(100);
/// A call asks a few times at most; a machine that is busy takes its time.
const IN_TIME: Duration = Duration::from_secs(2);

#[cached(timeout = 60, cache = "faulty")]
fn double(x: u32) -> u32 {
    2 * x
}

#[cached(timeout = 60, cache = "faulty")]
async fn triple(x: u32) -> u32 {
    tokio::task::yield_now().await;
    3 * x
}

fn faulty() -> (Arc<Faulty>, Cache) {
    let store = Faulty::new(Arc::new(MemoryStore::new()));
    let builder = Cache::builder().store(Arc::clone(&store) as Arc<dyn Store>);
    let cache = builder.store_timeout(STORE_TIMEOUT).build().unwrap();
    cache.register("faulty").unwrap();
    (store, cache)
}

/// Eight callers, sync and async, all have their answers, in time.
fn assert_callers_have_answers(x: u32) {
    within(IN_TIME, move || {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || assert_eq!(double(x), 2 * x));
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    assert_eq!(runtime.block_on(triple(x)), 3 * x);
                });
            }
        });
    });
}

#[test]
fn whatever_is_broken_functions_answer_in_time_and_go_on_when_it_is_mended() {
    use Operation::{Generations, Lease, Load, Release, Renew, Save};
    let sets: [&[Operation]; 8] = [
        Operation::ALL,
        &[Load],
        &[Lease],
        &[Save],
        &[Generations],
        &[Release],
        &[Renew],
        &[Lease, Release],
    ];
    for operations in sets {
        for fault in [Fault::Fails, Fault::Hangs] {
            println!("{fault:?}: {operations:?}");
            let (store, cache) = faulty();
            store.break_down(operations, fault);
            assert_callers_have_answers(7);
            assert_callers_have_answers(8);
            let harmless = matches!(operations, [Release | Renew]);
            let stats = cache.stats();
            assert_eq!(stats.store_errors == 0, harmless, "{stats:?}");
            store.mend();
            assert_callers_have_answers(9);
            let computed = cache.stats().computed + cache.stats().computed_alone;
            assert_callers_have_answers(9);
            assert_eq!(cache.stats().computed + cache.stats().computed_alone, computed);
        }
    }
}

#[test]
fn writes_and_invalidations_say_that_the_store_failed() {
    for (fault, kind) in
        [(Fault::Fails, ErrorKind::Unavailable), (Fault::Hangs, ErrorKind::Timeout)]
    {
        let (store, cache) = faulty();
        cache.set(cache_key!("a"), &1).wait().unwrap();
        store.break_down(Operation::ALL, fault);
        let key = || cache_key!("a");
        let began = Instant::now();
        let errors = [
            cache.set(key(), &2).wait().unwrap_err(),
            cache.add(key(), &2).wait().unwrap_err(),
            cache.delete(key()).wait().unwrap_err(),
            cache.delete(key()).children().wait().unwrap_err(),
            cache.delete_many([key()]).wait().unwrap_err(),
            cache.set_many([(key(), &1)]).wait().unwrap_err(),
            cache.touch(key(), 5).wait().unwrap_err(),
            cache.ttl(key()).wait().unwrap_err(),
            cache.increment(key(), 1).starting_at(0).wait().unwrap_err(),
            cache.clear().wait().unwrap_err(),
            cache.require().wait().unwrap_err(),
            double::invalidate(7).wait().unwrap_err(),
            double::invalidate_all().wait().unwrap_err(),
            double::put(7, 14).wait().unwrap_err(),
        ];
        for (place, error) in errors.iter().enumerate() {
            assert_eq!(error.kind(), kind, "{place}: {error}");
            assert!(error.is_temporary());
        }
        let missed = cache.get::<i32>(key()).wait().unwrap_err();
        assert_eq!(missed.reason, NotCachedReason::Unavailable);
        assert_eq!(missed.source.map(|source| source.kind()), Some(kind));
        assert!(!cache.contains(key()).wait());
        assert!(cache.get_many::<i32>([key()]).wait().is_empty());
        assert_eq!(cache.get_or_set(key()).compute(async || 5).wait(), 5);
        assert!(began.elapsed() < 30 * STORE_TIMEOUT + IN_TIME);
        store.mend();
        assert_eq!(cache.get::<i32>(key()).wait().ok(), Some(1));
    }
}

#[test]
fn a_failed_write_or_invalidation_leaves_nothing_near_that_could_be_old() {
    for operation in [Operation::Save, Operation::Delete, Operation::Invalidate] {
        let (store, cache) = faulty();
        cache.set(cache_key!("a", 1), &1).wait().unwrap();
        assert_eq!(cache.get::<i32>(cache_key!("a", 1)).wait().ok(), Some(1));
        let near_hits = cache.stats().near_hits;
        store.break_down(&[operation], Fault::Fails);
        match operation {
            Operation::Save => _ = cache.set(cache_key!("a", 1), &2).wait().unwrap_err(),
            Operation::Delete => _ = cache.delete(cache_key!("a", 1)).wait().unwrap_err(),
            _ => _ = cache.clear().wait().unwrap_err(),
        }
        assert_eq!(cache.get::<i32>(cache_key!("a", 1)).wait().ok(), Some(1));
        assert_eq!(cache.stats().near_hits, near_hits, "{operation:?}");
    }
}

#[test]
fn room_that_is_not_reclaimed_is_no_error() {
    for fault in [Fault::Fails, Fault::Hangs] {
        let store = Faulty::new(Arc::new(MemoryStore::new()));
        let builder = Cache::builder().store(Arc::clone(&store) as Arc<dyn Store>);
        let cache = builder.store_timeout(Duration::from_millis(10)).build().unwrap();
        cache.set(cache_key!("a", 1), &1).wait().unwrap();
        store.break_down(&[Operation::Clear], fault);
        assert_eq!(cache.clear().wait().unwrap(), 0);
        assert_eq!(cache.stats().store_errors, 1);
        let missed = cache.get::<i32>(cache_key!("a", 1)).wait().unwrap_err();
        assert_eq!(missed.reason, NotCachedReason::Invalidated);
        assert_eq!(cache.delete(cache_key!("a")).children().wait().unwrap(), 0);
    }
}

#[test]
fn a_probe_names_the_first_thing_that_does_not_work() {
    for (operation, named) in [
        (Operation::Generations, "serve"),
        (Operation::Lease, "serve"),
        (Operation::Save, "serve"),
        (Operation::Load, "serve"),
        (Operation::Delete, "serve"),
    ] {
        let (store, cache) = faulty();
        cache.require().wait().unwrap();
        store.break_down(&[operation], Fault::Fails);
        let error = cache.require().wait().unwrap_err();
        assert_eq!(error.operation(), named);
        store.break_down(&[operation], Fault::Hangs);
        let error = cache.require().wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
}
