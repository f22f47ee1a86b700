//! Which entry has to go when there are too many: S3-FIFO.
//!
//! After Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction",
//! SOSP 2023. What is new enters a small queue, a tenth of the whole. What leaves it and was used
//! more than once moves to the main queue; else it goes, and its ghost is remembered: should it
//! come back soon, it enters the main queue at once. There, what was used since it was last looked
//! at gets another round. So a scan passes through the small queue and leaves the rest alone, and a
//! use costs its reader one store at most, and none where it is used often.
//!
//! Queues hold hashes. Who evicts looks the entry up by it; two of one hash are one to the order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};

/// How often an entry was used lately, up to three times.
#[derive(Debug, Default)]
pub(crate) struct Uses(AtomicU8);

/// More than so many uses in the small queue are worth a place in the main one.
const WORTH_KEEPING: u8 = 1;
const MOST: u8 = 3;

impl Uses {
    /// Counts one. Of two at the same moment, one may be lost.
    #[inline]
    pub(super) fn count(&self) {
        let uses = self.0.load(Ordering::Relaxed);
        if uses < MOST {
            self.0.store(uses + 1, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, uses: u8) {
        self.0.store(uses, Ordering::Relaxed);
    }
}

impl Clone for Uses {
    fn clone(&self) -> Self {
        Self(AtomicU8::new(self.get()))
    }
}

/// The entries by the order in which they came, as their hashes.
pub(super) struct Order {
    capacity: usize,
    small: VecDeque<u64>,
    main: VecDeque<u64>,
    ghosts: Ghosts,
}

impl Order {
    /// Of at most `capacity` entries, and of one at least.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: Ghosts::default(),
        }
    }

    /// Enters a new entry; answers the one that has to go for it, if any. `uses` tells how often an
    /// entry was used, if it still is there.
    pub(super) fn enter<'a>(
        &mut self,
        hash: u64,
        uses: impl Fn(u64) -> Option<&'a Uses>,
    ) -> Option<u64> {
        let full = self.small.len() + self.main.len() >= self.capacity;
        let evicted = if full { self.evict(uses) } else { None };
        if self.ghosts.was(hash) {
            self.main.push_back(hash);
        } else {
            self.small.push_back(hash);
        }
        evicted
    }

    /// How many entries there are at most.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Holds at most `capacity` from now on, and one at least; answers one that has to go for that,
    /// until there is none.
    pub(super) fn hold<'a>(
        &mut self,
        capacity: usize,
        uses: impl Fn(u64) -> Option<&'a Uses>,
    ) -> Option<u64> {
        self.capacity = capacity.max(1);
        let too_many = self.small.len() + self.main.len() > self.capacity;
        if too_many { self.evict(uses) } else { None }
    }

    fn evict<'a>(&mut self, uses: impl Fn(u64) -> Option<&'a Uses>) -> Option<u64> {
        // Readers who use all of it meanwhile shall not keep a writer here.
        let mut rounds = (usize::from(MOST) + 1) * self.capacity;
        while self.small.len() > self.capacity / 10 || self.main.is_empty() {
            let hash = self.small.pop_front()?;
            match uses(hash) {
                Some(uses) if uses.get() > WORTH_KEEPING => {
                    uses.set(0);
                    self.main.push_back(hash);
                }
                _ => {
                    self.ghosts.remember(hash, self.capacity);
                    return Some(hash);
                }
            }
        }
        loop {
            let hash = self.main.pop_front()?;
            rounds = rounds.saturating_sub(1);
            match uses(hash) {
                Some(uses) if uses.get() > 0 && rounds > 0 => {
                    uses.set(uses.get().saturating_sub(1));
                    self.main.push_back(hash);
                }
                _ => return Some(hash),
            }
        }
    }
}

/// What was evicted lately without having been of use: as many as there are entries, or some fewer,
/// since each has one place only where it is remembered, and the next that falls there takes it.
#[derive(Default)]
struct Ghosts(Box<[u32]>);

impl Ghosts {
    fn remember(&mut self, hash: u64, capacity: usize) {
        if self.0.is_empty() {
            self.0 = vec![0; capacity.next_power_of_two()].into();
        }
        let (place, mark) = self.place(hash);
        self.0[place] = mark;
    }

    /// Whether it was; it is no more.
    fn was(&mut self, hash: u64) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let (place, mark) = self.place(hash);
        let was = self.0[place] == mark;
        if was {
            self.0[place] = 0;
        }
        was
    }

    #[allow(clippy::cast_possible_truncation)] // either takes its part of the bits
    fn place(&self, hash: u64) -> (usize, u32) {
        // The low bits of some hashes of numbers in a row differ by little; multiplied by 2^64 over
        // the golden ratio, the high ones do (Knuth, The Art of Computer Programming, vol. 3, 6.4).
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mark = mixed as u32 | 1; // zero is nobody's
        ((mixed >> 32) as usize & (self.0.len() - 1), mark)
    }
}
