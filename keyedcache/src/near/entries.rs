//! A bounded map that is read far more often than written, and by every thread at once.
//!
//! `quick_cache` decides what stays. Its own concurrent cache makes each reader write to the lock of
//! a shard, whose cache line then travels from core to core: on two threads that was two thirds of a
//! hit. Here a reader writes only to a lock of its own thread's ([`ShardedLock`]), and a writer takes
//! all of them, which costs it some 200 ns: it has just come back from a store.

use std::hash::Hash;
use std::sync::PoisonError;

use crossbeam_utils::sync::ShardedLock;
use equivalent::Equivalent;
use quick_cache::sync::DefaultLifecycle;
use quick_cache::{DefaultHashBuilder, UnitWeighter, unsync};

/// At most so many entries by key; of more, the least useful are evicted. `B` stands beside them,
/// under the same lock.
pub(super) struct Entries<K, E, B = ()>(ShardedLock<Kept<K, E, B>>);

struct Kept<K, E, B> {
    map: unsync::Cache<K, E, UnitWeighter, DefaultHashBuilder, DefaultLifecycle<K, E>>,
    beside: B,
}

impl<K: Hash + Eq, E, B: Default> Entries<K, E, B> {
    pub(super) fn new(capacity: usize) -> Self {
        let hasher = DefaultHashBuilder::default();
        let lifecycle = DefaultLifecycle::default();
        let weight = capacity as u64;
        let map = unsync::Cache::with(capacity, weight, UnitWeighter, hasher, lifecycle);
        Self(ShardedLock::new(Kept { map, beside: B::default() }))
    }
}

impl<K: Hash + Eq, E, B> Entries<K, E, B> {
    /// What `read` makes of the entry, if there is one; writers wait for it.
    #[inline]
    pub(super) fn get<Q, T>(&self, key: &Q, read: impl FnOnce(&E, &B) -> T) -> Option<T>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        // A reader that panicked left everything as it was; a writer that did, in the user's own
        // comparison of keys, an entry more or less.
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.map.get(key).map(|entry| read(entry, &kept.beside))
    }

    /// Inserts the entry if `admit`, asked under the lock, has it.
    pub(super) fn insert(&self, key: K, entry: E, admit: impl FnOnce(&mut B) -> bool) {
        // Dropped after the lock is given back: what is evicted is the user's, and may ask for more.
        let mut evicted = Default::default();
        self.write(|kept| {
            if admit(&mut kept.beside) {
                kept.map.insert_with_lifecycle(key, entry, &mut evicted);
            }
        });
    }

    /// Changes what stands beside the entries.
    pub(super) fn beside<T>(&self, change: impl FnOnce(&mut B) -> T) -> T {
        self.write(|kept| change(&mut kept.beside))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Kept<K, E, B>) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}
