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

/// At most so many entries by key; of more, the least useful are evicted.
pub(super) struct Entries<K, E>(ShardedLock<Map<K, E>>);

type Map<K, E> = unsync::Cache<K, E, UnitWeighter, DefaultHashBuilder, DefaultLifecycle<K, E>>;

impl<K: Hash + Eq, E> Entries<K, E> {
    pub(super) fn new(capacity: usize) -> Self {
        let hasher = DefaultHashBuilder::default();
        let lifecycle = DefaultLifecycle::default();
        let map = Map::with(capacity, capacity as u64, UnitWeighter, hasher, lifecycle);
        Self(ShardedLock::new(map))
    }

    /// What `read` makes of the entry, if there is one; writers wait for it.
    #[inline]
    pub(super) fn get<Q, T>(&self, key: &Q, read: impl FnOnce(&E) -> T) -> Option<T>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        // A reader that panicked left everything as it was; a writer that did, in the user's own
        // comparison of keys, an entry more or less.
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).map(read)
    }

    pub(super) fn insert(&self, key: K, entry: E) {
        // Dropped after the lock is given back: what is evicted is the user's, and may ask for more.
        let mut evicted = Default::default();
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        map.insert_with_lifecycle(key, entry, &mut evicted);
        drop(map);
    }
}
