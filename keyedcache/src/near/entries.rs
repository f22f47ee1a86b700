//! A bounded map that is read far more often than written, and by every thread at once.
//!
//! Readers take no lock and wait for nobody ([`table`](super::table)); what the map gives up is freed when
//! no reader can hold it any more ([`readers`](super::readers)): at once what is replaced, and of a large
//! map what is evicted, some dozens of evictions later. Writers take the lock of [`Order`], which says
//! what has to go; they have just come back from a store.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::order::{Order, Uses};
use super::readers::{BATCH, Reading, retire};
use super::table::Map;

/// At most so many entries by the hashes of their keys; of more, the least useful are evicted.
///
/// Keys themselves are their owners' business, so that this is compiled once, and not for every list
/// of arguments: who finds an entry looks whether it is the one that was meant. Of two keys of one
/// hash, which is as likely as 64 coins that fall alike, the later takes the place of the earlier.
pub(crate) struct Entries<E: Used + Send + Sync + 'static> {
    map: Map<Node<E>>,
    hasher: RandomState,
    order: Mutex<Order>,
}

/// An entry, from the beginning of a cache line on: a hit takes as few of them as it can.
#[repr(align(64))]
struct Node<E>(E);

/// Counts how often it was used.
pub(crate) trait Used {
    /// The count.
    fn uses(&self) -> &Uses;
}

/// Of so few entries what is evicted is freed at once: a batch would be as much again.
const FEW: usize = 8 * BATCH;

impl<E: Used + Send + Sync + 'static> Entries<E> {
    /// At least one of them is kept.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            map: Map::new(),
            hasher: RandomState::default(),
            order: Mutex::new(Order::new(capacity)),
        }
    }

    /// What hashes a key.
    #[inline]
    pub(crate) fn hasher(&self) -> impl Hasher + use<E> {
        self.hasher.build_hasher()
    }

    /// The hash of a key.
    pub(crate) fn hash_of(&self, key: &(impl Hash + ?Sized)) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The entry under this hash, if there is one.
    #[inline]
    pub(crate) fn find<'r>(&self, hash: u64, reading: &'r Reading) -> Option<&'r E> {
        self.map.find(hash, reading).map(|Node(entry)| entry)
    }

    /// What `take` makes of the entry under this hash, if there is one that `serves`.
    pub(crate) fn get<T>(
        &self,
        hash: u64,
        serves: impl FnOnce(&E) -> bool,
        take: impl FnOnce(&E) -> T,
    ) -> Option<T> {
        let reading = Reading::begin()?;
        let entry = self.find(hash, &reading)?;
        serves(entry).then(|| {
            entry.uses().count();
            take(entry)
        })
    }

    /// Inserts the entry, in the place of the one under this hash if there is one.
    pub(crate) fn insert(&self, hash: u64, entry: E) {
        let mut gone = Vec::new();
        let Some(reading) = Reading::begin() else { return };
        let at_once = {
            let mut order = self.order.lock();
            let uses_of = |hash| self.find(hash, &reading).map(E::uses);
            // Made anew, an answer is as useful as it was.
            if let Some(uses) = uses_of(hash) {
                entry.uses().set(uses.get());
            }
            // Where few answers are made again and again, those before shall not add up.
            let replaces = self.map.insert(hash, Box::new(Node(entry)), &reading, &mut gone);
            let evicted = if replaces { None } else { order.enter(hash, uses_of) };
            if let Some(hash) = evicted {
                self.map.remove(hash, &reading, &mut gone);
            }
            replaces || order.capacity() <= FEW
        };
        // After the lock is given back: what is dropped is the user's, and may ask for more.
        drop(reading);
        retire(gone, at_once);
    }

    /// Holds at most so many from now on; one at least.
    pub(crate) fn hold(&self, capacity: usize) {
        let mut gone = Vec::new();
        let Some(reading) = Reading::begin() else { return };
        let uses_of = |hash| self.find(hash, &reading).map(E::uses);
        let excess = || self.order.lock().hold(capacity, uses_of);
        while let Some(hash) = excess() {
            self.map.remove(hash, &reading, &mut gone);
        }
        drop(reading);
        retire(gone, true);
    }
}

impl<E: Used + Send + Sync + 'static> Drop for Entries<E> {
    fn drop(&mut self) {
        let mut gone = Vec::new();
        self.map.clear(&mut gone);
        retire(gone, true);
    }
}
