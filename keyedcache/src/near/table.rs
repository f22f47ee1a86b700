//! A hash table that one writes at a time and everybody reads, without a lock.
//!
//! Open addressing with linear probing; slots of what was removed are used again, or given up when
//! nothing stands behind them. When too many are in use, all that there is moves to a new table; who
//! reads the old one finds there what stood there then.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::readers::{Place, Reading, Taken};

/// Nodes by hashes. What it gives up, the caller has freed.
pub(super) struct Map<N: Send + Sync + 'static> {
    table: Place<Table<N>>,
    /// Held by who writes: how many slots are in use.
    in_use: Mutex<usize>,
}

impl<N: Send + Sync + 'static> Map<N> {
    pub(super) const fn new() -> Self {
        Self { table: Place::empty(), in_use: Mutex::new(0) }
    }

    /// What stands under this hash. What is removed from there at this moment may be another's
    /// already: who asks has to look.
    #[inline]
    pub(super) fn find<'r>(&self, hash: u64, reading: &'r Reading) -> Option<&'r N> {
        self.table.get(reading)?.find(marked(hash), reading)
    }

    /// Inserts it; says whether it takes the place of another.
    pub(super) fn insert(
        &self,
        hash: u64,
        node: Box<N>,
        reading: &Reading,
        gone: &mut Vec<Taken>,
    ) -> bool {
        let mut in_use = self.in_use.lock();
        let mut table = self.table.get(reading);
        if table.is_none_or(|table| table.is_full(*in_use)) {
            let (new, count) = table.map_or_else(|| (Table::with_room_for(1), 0), Table::moved);
            gone.extend(self.table.put(Box::new(new)));
            *in_use = count;
            table = self.table.get(reading);
        }
        let Some(table) = table else { return false };
        let (replaced, more) = table.insert(marked(hash), node);
        *in_use += more;
        let takes_a_place = replaced.is_some();
        gone.extend(replaced);
        takes_a_place
    }

    /// Removes what stands under this hash.
    pub(super) fn remove(&self, hash: u64, reading: &Reading, gone: &mut Vec<Taken>) {
        let mut in_use = self.in_use.lock();
        let Some(table) = self.table.get(reading) else { return };
        let (removed, fewer) = table.remove(marked(hash));
        *in_use -= fewer;
        gone.extend(removed);
    }

    /// Removes all that there is.
    pub(super) fn clear(&mut self, gone: &mut Vec<Taken>) {
        if let Some(reading) = Reading::begin()
            && let Some(table) = self.table.get(&reading)
        {
            gone.extend(table.slots.iter().filter_map(|slot| slot.node.take()));
        }
        gone.extend(self.table.take());
    }
}

/// Marks a slot that was never used, where every search ends.
const EMPTY: u64 = 0;
/// Marks a slot whose entry was removed, behind which others may stand.
const REMOVED: u64 = 1;

/// No hash that marks anything.
#[inline]
fn marked(hash: u64) -> u64 {
    if hash > REMOVED { hash } else { hash + 2 }
}

struct Table<N> {
    /// Their number is a power of two.
    slots: Box<[Slot<N>]>,
}

struct Slot<N> {
    hash: AtomicU64,
    node: Place<N>,
}

impl<N: Send + Sync + 'static> Table<N> {
    /// With room for so many, and as many again before it is too full.
    fn with_room_for(count: usize) -> Self {
        let slots = (2 * count).next_power_of_two().max(8);
        let slot = || Slot { hash: AtomicU64::new(EMPTY), node: Place::empty() };
        Self { slots: (0..slots).map(|_| slot()).collect() }
    }

    /// Whether so many slots that are in use are too many.
    fn is_full(&self, in_use: usize) -> bool {
        8 * in_use >= 5 * self.slots.len()
    }

    #[inline]
    fn find<'r>(&self, hash: u64, reading: &'r Reading) -> Option<&'r N> {
        self.slots.get(self.at(hash)?)?.node.get(reading)
    }

    /// The slot of this hash.
    #[inline]
    fn at(&self, hash: u64) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut at = start(hash) & mask;
        loop {
            match self.slots.get(at)?.hash.load(Ordering::Acquire) {
                EMPTY => return None,
                found if found == hash => return Some(at),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Inserts it; answers what it takes the place of, and how many more slots are in use. One must be
    /// empty.
    fn insert(&self, hash: u64, node: Box<N>) -> (Option<Taken>, usize) {
        if let Some(at) = self.at(hash) {
            return (self.slots[at].node.put(node), 0);
        }
        let at = self.free(hash);
        let slot = &self.slots[at];
        let was = slot.hash.load(Ordering::Relaxed);
        let taken = slot.node.put(node);
        slot.hash.store(hash, Ordering::Release);
        (taken, usize::from(was == EMPTY))
    }

    /// The first slot that this hash may have.
    fn free(&self, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = start(hash) & mask;
        while self.slots[at].hash.load(Ordering::Relaxed) > REMOVED {
            at = (at + 1) & mask;
        }
        at
    }

    /// Removes what stands under this hash; answers it, and how many fewer slots are in use.
    fn remove(&self, hash: u64) -> (Option<Taken>, usize) {
        let Some(mut at) = self.at(hash) else { return (None, 0) };
        let mask = self.slots.len() - 1;
        self.slots[at].hash.store(REMOVED, Ordering::Release);
        let taken = self.slots[at].node.take();
        let mut fewer = 0;
        // Searches that come here end at the next slot anyway.
        if self.slots[(at + 1) & mask].hash.load(Ordering::Relaxed) == EMPTY {
            while self.slots[at].hash.load(Ordering::Relaxed) == REMOVED {
                self.slots[at].hash.store(EMPTY, Ordering::Release);
                fewer += 1;
                at = at.wrapping_sub(1) & mask;
            }
        }
        (taken, fewer)
    }

    /// All that there is in a table with room for as much again, and how many slots are in use there.
    /// This one must not be written any more.
    fn moved(&self) -> (Self, usize) {
        let hash_of = |slot: &Slot<N>| slot.hash.load(Ordering::Relaxed);
        let is_used = |slot: &&Slot<N>| hash_of(slot) > REMOVED;
        let count = self.slots.iter().filter(is_used).count();
        let mut table = Self::with_room_for(count + 1);
        for slot in self.slots.iter().filter(is_used) {
            let hash = hash_of(slot);
            let at = table.free(hash);
            // SAFETY: the map puts the other table in the place of this one before it writes again, and
            // then only there; who begins to read after that finds only that.
            #[allow(unsafe_code)]
            let node = unsafe { slot.node.moved() };
            table.slots[at] = Slot { hash: AtomicU64::new(hash), node };
        }
        (table, count)
    }
}

/// Where a search for this hash starts, before it is cut to the number of slots.
#[inline]
#[allow(clippy::cast_possible_truncation)] // any bits will do
fn start(hash: u64) -> usize {
    hash as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::readers::retire;
    use super::*;

    #[test]
    fn what_is_inserted_and_not_removed_is_found() {
        let (map, mut model, mut gone) = (Map::new(), HashMap::new(), Vec::new());
        let reading = Reading::begin().unwrap();
        let mut random = 1_u64;
        // So few that they collide; the first two mark slots, and stand for the two after them.
        let nth = |number| if number > REMOVED { number + 2 } else { number };
        for step in 0..20_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let hash = nth((random >> 33) % 40);
            if (random >> 50).is_multiple_of(2 + step / 2_000) {
                let replaces = map.insert(hash, Box::new(step), &reading, &mut gone);
                assert_eq!(replaces, model.insert(hash, step).is_some());
            } else {
                map.remove(hash, &reading, &mut gone);
                model.remove(&hash);
            }
            for hash in (0..40).map(nth) {
                let found = map.find(hash, &reading).copied();
                let expected = model.get(&hash).copied();
                assert_eq!(found, expected, "under {hash}");
            }
        }
        drop(reading);
        retire(gone, true);
    }

    #[test]
    fn slots_of_what_was_removed_are_given_up() {
        let (map, mut gone) = (Map::new(), Vec::new());
        let reading = Reading::begin().unwrap();
        for hash in 0..10_000 {
            map.insert(hash, Box::new(hash), &reading, &mut gone);
            map.remove(hash, &reading, &mut gone);
            assert_eq!(*map.in_use.lock(), 0);
        }
        drop(reading);
        assert_eq!(gone.len(), 10_000, "and no second table is made for them");
        retire(gone, true);
    }
}
