//! Functions cached without the attribute in a cache that serves stale answers. On its own, since it
//! replaces the default cache of its process.

#![allow(clippy::unused_async)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyedcache::{Cache, Clock, Moment, cache_async_function, cache_function};
use keyedcache_tests::drive::wait as block_on;

#[test]
fn a_stale_answer_is_served_while_one_refreshes() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    fn count(_: u8) -> usize {
        RUNS.fetch_add(1, Ordering::SeqCst) + 1
    }
    async fn count_async(x: u8) -> usize {
        count(x)
    }
    let clock = Clock::manual(Moment::from_micros(1_000_000_000));
    let stale = Duration::from_mins(10);
    let cache = Cache::builder().stale(stale).clock(clock.clone()).build().unwrap();
    cache.register("default").unwrap();
    let refreshed = |expected: usize| {
        while RUNS.load(Ordering::SeqCst) < expected || cache.stats().saved < expected as u64 {
            std::thread::yield_now();
        }
    };
    let cached = cache_function(60, count);
    assert_eq!(cached(1), 1);
    clock.advance(Duration::from_secs(61));
    assert_eq!(cached(1), 1);
    refreshed(2);
    assert_eq!(cached(1), 2);

    let cached = cache_async_function(60, count_async);
    assert_eq!(block_on(cached(1)), 3);
    clock.advance(Duration::from_secs(61));
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    assert_eq!(runtime.block_on(cached(1)), 3);
    refreshed(4);
    assert_eq!(block_on(cached(1)), 4);
}
