//! The functions that meet bad input here, and what is asserted of every cache that is broken.

use std::sync::atomic::{AtomicUsize, Ordering};

use keyedcache::cached;

/// How often the body of one of them ran.
pub(crate) static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cached(timeout = 60)]
pub(crate) fn double(x: u32) -> u32 {
    RUNS.fetch_add(1, Ordering::SeqCst);
    2 * x
}

#[cached(timeout = 60)]
pub(crate) async fn triple(x: u32) -> u32 {
    tokio::task::yield_now().await;
    3 * x
}

#[cached(timeout = 60, cache = "nobody")]
pub(crate) fn of_nobody(x: u32) -> u32 {
    2 * x
}

/// Functions answer, sync and async, alone and many at once.
pub(crate) fn assert_functions_answer() {
    assert_eq!(double(21), 42);
    assert_eq!(keyedcache_tests::drive::block_on(triple(14)), 42);
    std::thread::scope(|scope| {
        for x in 0..8 {
            scope.spawn(move || assert_eq!(double(x / 4), 2 * (x / 4)));
        }
    });
}
