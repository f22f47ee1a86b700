//! A counter that threads do not fight over.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const LANES: usize = 8;

/// Counts in several lanes, each on a cache line of its own; every thread keeps to one.
#[derive(Debug)]
pub(crate) struct Counter([Lane; LANES]);

#[derive(Debug)]
#[repr(align(64))]
struct Lane(AtomicU64);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self([const { Lane(AtomicU64::new(0)) }; LANES])
    }

    /// Counts one.
    #[inline]
    pub(crate) fn count(&self) {
        self.0[lane()].0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were counted. Not a snapshot: what is counted meanwhile may be in it or not.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|lane| lane.0.load(Ordering::Relaxed)).sum()
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

#[inline]
fn lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LANE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    // While a thread ends its locals may be gone; any lane will do then.
    LANE.try_with(|lane| {
        if lane.get() == usize::MAX {
            lane.set(NEXT.fetch_add(1, Ordering::Relaxed) % LANES);
        }
        lane.get()
    })
    .unwrap_or(0)
}
