//! What each thread remembers of what it has read, so that a hit in a folder where nothing is written
//! looks up one entry of the tree, and not those that are the same for every key.
//!
//! The tree changes by transactions only, and a snapshot bears the number of the last one. So what was
//! read in one snapshot is exact in every other of that number of the same opening, and is forgotten
//! with the first of another.
//!
//! Generations are remembered for longer: until a change of scopes is told (`ring.rs`). What was read
//! in one snapshot, before which so many changes had been told, still stands in a later one if all
//! changes up to that have been told and they are no more. Only of those that were there: one that is
//! created is not told of.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use heed::RoTxn;

use super::environment::Tree;
use super::opening::Opening;
use super::reader;
use crate::clock::Clock;
use crate::record::{Generation, Scope, ScopeId};
use crate::store::{Slot, StoredKey};

/// How many generations a thread remembers, each at the place that its scope's digest names.
const PLACES: usize = 32;

/// Tells one opening from all others of the process, past ones too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct OpeningId(u64);

impl OpeningId {
    pub(super) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

struct Memory {
    opening: OpeningId,
    transaction: usize,
    /// How many changes of scopes had been told before anything of it was read.
    scope_changes: u64,
    /// Whether there are any leases at all.
    has_leases: Option<bool>,
    generations: [Option<(ScopeId, Option<Generation>)>; PLACES],
}

impl Memory {
    const fn of(opening: OpeningId, transaction: usize, scope_changes: u64) -> Self {
        let generations = [None; PLACES];
        Self { opening, transaction, scope_changes, has_leases: None, generations }
    }

    /// Whether the generations that were there still stand in this transaction.
    fn still_stands(&self, opening: &Opening, transaction: usize) -> bool {
        // In this order: what is told is counted before it counts as told.
        self.opening == opening.id
            && opening.ring.has_told(transaction as u64)
            && opening.ring.scope_changes() == self.scope_changes
    }

    /// Goes on with a snapshot of this transaction.
    fn go_on(&mut self, transaction: usize) {
        self.transaction = transaction;
        self.has_leases = None;
        for place in &mut self.generations {
            *place = place.filter(|(_, generation)| generation.is_some());
        }
    }

    fn place(scope: ScopeId) -> usize {
        usize::from(scope.0[0]) % PLACES
    }
}

thread_local! {
    static MEMORY: RefCell<Memory> = const { RefCell::new(Memory::of(OpeningId(0), 0, 0)) };
}

/// A snapshot, and what this thread remembers of it. Never of a write transaction: what that sees
/// changes while it lasts.
pub(super) struct Remembering<'s> {
    snapshot: &'s RoTxn<'s>,
    tree: Tree,
    memory: &'s mut Memory,
}

/// Calls `body` with a snapshot of this opening; it must not do so again. `scope_changes` were told
/// before the snapshot was made.
pub(super) fn remembering<T>(
    opening: &Opening,
    scope_changes: u64,
    snapshot: &RoTxn<'_>,
    tree: Tree,
    body: impl FnOnce(Remembering<'_>) -> heed::Result<T>,
) -> heed::Result<T> {
    MEMORY.with_borrow_mut(|memory| {
        let transaction = snapshot.id();
        if memory.opening != opening.id || memory.transaction != transaction {
            if memory.still_stands(opening, transaction) {
                memory.go_on(transaction);
            } else {
                *memory = Memory::of(opening.id, transaction, scope_changes);
            }
        }
        body(Remembering { snapshot, tree, memory })
    })
}

/// The generations of these scopes as they stand now, if all are remembered; no transaction.
pub(super) fn remembered(opening: &Opening, scopes: &[Scope]) -> Option<Vec<Generation>> {
    let transaction = opening.env.info().last_txn_id;
    MEMORY.with_borrow(|memory| {
        let generation = |scope: &Scope| match memory.generations[Memory::place(scope.id())] {
            Some((of, generation)) if of == scope.id() => generation,
            _ => None,
        };
        if !memory.still_stands(opening, transaction) {
            return None;
        }
        let mut generations = Vec::with_capacity(scopes.len());
        for scope in scopes {
            generations.push(generation(scope)?);
        }
        Some(generations)
    })
}

impl Remembering<'_> {
    /// As [`reader::slot`].
    pub(super) fn slot(&mut self, key: &StoredKey, clock: &Clock) -> heed::Result<Slot> {
        if self.has_leases()? {
            return reader::slot(self.snapshot, self.tree, key, clock.now());
        }
        let entry = reader::entry(self.snapshot, self.tree, key.as_str())?;
        let record = entry.filter(|entry| !clock.has_come(entry.ends)).map(reader::copy);
        Ok(Slot { record, ..Slot::default() })
    }

    fn has_leases(&mut self) -> heed::Result<bool> {
        if let Some(has_leases) = self.memory.has_leases {
            return Ok(has_leases);
        }
        let has_leases = reader::has_leases(self.snapshot, self.tree)?;
        self.memory.has_leases = Some(has_leases);
        Ok(has_leases)
    }

    /// As [`reader::generation`].
    pub(super) fn generation(&mut self, scope: ScopeId) -> heed::Result<Option<Generation>> {
        let place = &mut self.memory.generations[Memory::place(scope)];
        match *place {
            Some((of, generation)) if of == scope => Ok(generation),
            _ => {
                let generation = reader::generation(self.snapshot, self.tree, scope)?;
                *place = Some((scope, generation));
                Ok(generation)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::record::Scope;
    use crate::runtime::wait;
    use crate::store::{
        DiskStore, HolderId, LeaseToken, Leasing, Loaded, Severity, Store, StoredKey,
    };

    fn load(store: &DiskStore) -> Loaded {
        wait(store.load(&[StoredKey::new("k")], &[Scope::new("s")])).unwrap()
    }

    #[test]
    fn what_is_remembered_is_forgotten_with_the_next_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path()).unwrap();
        let (key, scopes) = (StoredKey::new("k"), [Scope::new("s")]);
        assert_eq!(load(&store).generations, [None]);

        wait(store.generations(&scopes)).unwrap();
        let created = load(&store).generations;
        assert!(created[0].is_some());

        std::thread::scope(|threads| {
            let invalidate = || wait(store.invalidate(&scopes, Severity::Hard)).unwrap();
            threads.spawn(invalidate).join().unwrap();
        });
        assert_ne!(load(&store).generations, created);

        assert_eq!(load(&store).slots[0].lease, None);
        let token = LeaseToken::random(HolderId::random());
        let leasing = wait(store.lease(&key, token, Duration::from_mins(1), None)).unwrap();
        assert_eq!(leasing, Leasing::Granted);
        assert_eq!(load(&store).slots[0].lease, Some(token));
    }

    #[test]
    fn what_is_remembered_of_one_opening_is_not_taken_for_that_of_another() {
        let generations = || {
            let folder = tempfile::tempdir().unwrap();
            let store = DiskStore::open(folder.path()).unwrap();
            let created = wait(store.generations(&[Scope::new("s")])).unwrap();
            (created.into_iter().map(Some).collect::<Vec<_>>(), load(&store).generations)
        };
        for (created, loaded) in [generations(), generations()] {
            assert_eq!(loaded, created);
        }
    }
}
