//! A store that takes its time costs a call `store_timeout` once, whatever the call asks of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyedcache::store::MemoryStore;
use keyedcache::{Cache, cache_key};
use keyedcache_tests::drive::block_on;
use keyedcache_tests::faulty::{Fault, Faulty, Operation};
use keyedcache_tests::watchdog::wait_until;

/// Shorter than `AT_MOST`: no operation runs into it alone.
const EACH: Duration = Duration::from_millis(700);
const AT_MOST: Duration = Duration::from_secs(1);
/// What three operations take at least, one after another.
const THREE: Duration = Duration::from_millis(2_100);

fn slow(operations: &[Operation]) -> (Arc<Faulty>, Cache) {
    let store = Faulty::new(Arc::new(MemoryStore::new()));
    let cache = Cache::builder().store(store.clone()).store_timeout(AT_MOST).build();
    store.break_down(operations, Fault::AnswersAfter(EACH));
    (store, cache.expect("the options are right"))
}

fn compute(cache: &Cache) -> u32 {
    block_on(async { cache.get_or_set(cache_key!("report", 7)).compute(async || 7).await })
}

#[test]
fn all_that_a_call_asks_of_a_slow_store_takes_store_timeout_together() {
    let (_store, cache) = slow(Operation::ALL);
    let came = Instant::now();
    assert_eq!(compute(&cache), 7);
    assert!(came.elapsed() < THREE, "it took {:?}", came.elapsed());
}

#[test]
fn a_save_that_takes_longer_than_the_caller_waits_goes_on_without_it() {
    let (store, cache) = slow(&[Operation::Load, Operation::Save]);
    // The save belongs to the background, and not to a runtime that ends with the caller.
    assert_eq!(compute(&cache), 7);
    assert_eq!(cache.stats().saved, 0, "the caller has its answer before");
    wait_until("it is saved", || cache.stats().saved == 1);
    store.mend();
    assert_eq!(cache.get::<u32>(cache_key!("report", 7)).wait().expect("it is there"), 7);
}
