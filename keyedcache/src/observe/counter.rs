//! A counter that threads do not fight over.
//!
//! It counts in several lanes, each on a cache line of its own. The first threads of the process have
//! a lane to themselves and count by a load and a store, a quarter of what an atomic addition costs;
//! the threads beyond them share the other lanes.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Lanes that one thread at a time has to itself.
const OWNED: usize = 16;
const SHARED: usize = 8;

/// Counts events of any thread.
#[derive(Debug)]
pub(crate) struct Counter([Lane; OWNED + SHARED]);

#[derive(Debug)]
#[repr(align(128))]
struct Lane(AtomicU64);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self([const { Lane(AtomicU64::new(0)) }; OWNED + SHARED])
    }

    /// Counts one.
    #[inline]
    pub(crate) fn count(&self) {
        let lane = lane();
        let count = &self.0[lane].0;
        if lane < OWNED {
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        } else {
            count.fetch_add(1, Ordering::Relaxed);
        }
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

/// A bit for each owned lane that has an owner.
static TAKEN: AtomicU32 = AtomicU32::new(0);

const NONE_YET: usize = usize::MAX;

thread_local! {
    /// The lane of this thread. Has no destructor, so that threads count until their very end.
    static LANE: Cell<usize> = const { Cell::new(NONE_YET) };
    static OWNER: Cell<Option<Owner>> = const { Cell::new(None) };
}

#[inline]
fn lane() -> usize {
    match LANE.get() {
        NONE_YET => settle(),
        lane => lane,
    }
}

#[cold]
fn settle() -> usize {
    let owned = Owner::settle().and_then(|owner| {
        let lane = owner.0;
        // A thread that is ending keeps none; the owner that could not move in is dropped.
        OWNER.try_with(|place| place.set(Some(owner))).is_ok().then_some(lane)
    });
    let lane = owned.unwrap_or_else(shared_lane);
    LANE.set(lane);
    lane
}

fn shared_lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    OWNED + NEXT.fetch_add(1, Ordering::Relaxed) % SHARED
}

/// Owns a lane until its thread ends.
struct Owner(usize);

impl Owner {
    fn settle() -> Option<Self> {
        let free = |taken: u32| (!taken).trailing_zeros() as usize;
        let take = |taken| (free(taken) < OWNED).then(|| taken | 1 << free(taken));
        // Acquires what the owner before counted.
        let taken = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, take).ok()?;
        Some(Self(free(taken)))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Other destructors of this thread may count after this one.
        LANE.set(shared_lane());
        TAKEN.fetch_and(!(1 << self.0), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn every_event_of_any_number_of_threads_is_counted() {
        const THREADS: usize = 2 * (OWNED + SHARED);
        const EACH: u64 = 1_000;
        let counter = Counter::new();
        let all_there = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    counter.count();
                    all_there.wait(); // more at one time than there are lanes
                    (1..EACH).for_each(|_| counter.count());
                });
            }
        });
        assert_eq!(counter.total(), THREADS as u64 * EACH);
    }

    #[test]
    fn lanes_of_threads_that_ended_are_owned_again() {
        let owns_one = || thread::spawn(|| lane() < OWNED).join().unwrap();
        let owned = (0..4 * OWNED).filter(|_| owns_one()).count();
        // Threads of other tests may own all lanes for a moment, not all the time.
        assert!(owned > OWNED, "{owned}");
    }

    #[test]
    fn threads_count_while_they_end() {
        static COUNTER: Counter = Counter::new();
        struct CountsLast;
        impl Drop for CountsLast {
            fn drop(&mut self) {
                COUNTER.count();
            }
        }
        thread_local!(static LAST: CountsLast = const { CountsLast });
        thread::spawn(|| {
            LAST.with(|_| ()); // before the lane, so that it is dropped after it
            COUNTER.count();
        })
        .join()
        .unwrap();
        assert_eq!(COUNTER.total(), 2);
    }
}
