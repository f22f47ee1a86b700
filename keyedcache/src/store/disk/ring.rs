//! Pushed changes: what each of the last transactions changed, by their numbers, in the tree itself.
//!
//! A transaction writes what it changed under its own number, so whoever has heard of all up to one
//! number reads those after it. Whether there are any is told by the environment's last number: one
//! read of shared memory. The changes of [`KEPT`] transactions are kept; whoever is further behind
//! is told that changes may have been missed.

use std::ops::Bound::{Excluded, Included};
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use heed::RoTxn;
use parking_lot::Mutex;

use super::environment::Tree;
use super::layout::{CHANGES, Change, EntryKey};
use super::opening::Opening;
use super::writing::Writing;
use crate::error::Error;
use crate::record::ScopeId;
use crate::store::audience::Audience;
use crate::store::{HolderId, KeyDigest, Sink};

/// Of how many transactions the changes are kept at least.
pub(super) const KEPT: u64 = 4096;

/// Older ones are removed by every so many transactions, so that few writes touch their pages.
const TRIM_EVERY: u64 = 64;

#[derive(Default)]
pub(super) struct Ring {
    /// The last transaction whose changes have been told.
    told: AtomicU64,
    /// Held while telling, so that `told` never runs ahead.
    telling: Mutex<()>,
    audience: Audience,
}

impl Ring {
    /// What came before does not concern those who subscribe now.
    pub(super) fn start(&self, opening: &Opening) -> Result<(), Error> {
        let last = opening.read("open", |snapshot, _| Ok(snapshot.id()))?;
        self.told.store(last as u64, Ordering::Release);
        Ok(())
    }

    pub(super) fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        self.audience.admit(holder, sink);
    }

    /// Whether everything so far has been told; a few nanoseconds.
    pub(super) fn is_told(&self, opening: &Opening) -> bool {
        opening.env.info().last_txn_id as u64 == self.told.load(Ordering::Acquire)
    }

    /// Tells everything that has not been told.
    pub(super) fn tell(&self, opening: &Opening) -> Result<(), Error> {
        let _telling = self.telling.lock();
        self.tell_rest(opening)
    }

    /// Tells what this process has just committed, before the operations resolve.
    pub(super) fn committed(&self, opening: &Opening, transaction: u64, changes: &[Change]) {
        let _telling = self.telling.lock();
        let told = self.told.load(Ordering::Acquire);
        if told + 1 == transaction {
            self.tell_all(changes.iter().copied());
            self.told.store(transaction, Ordering::Release);
        } else if told < transaction && self.tell_rest(opening).is_err() {
            // What was committed is told at least; the rest is asked for again before it is trusted.
            self.tell_all(changes.iter().copied());
        }
    }

    /// Has the changes of the last transactions told again; returns the last one still told.
    #[cfg(test)]
    pub(super) fn rewind(&self, transactions: u64) -> u64 {
        let told = self.told.load(Ordering::Acquire);
        let told = told.saturating_sub(transactions);
        self.told.store(told, Ordering::Release);
        told
    }

    fn tell_rest(&self, opening: &Opening) -> Result<(), Error> {
        let told = self.told.load(Ordering::Acquire);
        // Copied out first: a sink must find no transaction open on its thread.
        let (last, changes) = opening.read("tell", |snapshot, tree| {
            let last = snapshot.id() as u64;
            let changes = match last {
                last if last == told => Vec::new(),
                // Emptied and begun anew cannot be: that needs the folder to be closed.
                last if last < told || last - told > KEPT => vec![Change::Everything],
                last => between(snapshot, tree, told, last)?,
            };
            Ok((last, changes))
        })?;
        self.tell_all(changes.into_iter());
        self.told.store(last, Ordering::Release);
        Ok(())
    }

    fn tell_all(&self, changes: impl Iterator<Item = Change>) {
        for change in changes {
            match change {
                Change::Key { digest, by } => {
                    self.audience.tell(by, |sink| sink.key_changed(KeyDigest(digest)));
                }
                Change::Scope(id) => {
                    self.audience.tell(None, |sink| sink.scope_changed(ScopeId(id)));
                }
                Change::Everything => self.audience.tell(None, |sink| sink.lost()),
            }
        }
    }
}

/// The changes of the transactions after `told`, up to `last`.
fn between(snapshot: &RoTxn<'_>, tree: Tree, told: u64, last: u64) -> heed::Result<Vec<Change>> {
    let (first, last) = (EntryKey::changes(told + 1), EntryKey::changes(last));
    let mut changes = Vec::new();
    for entry in tree.range(snapshot, &(Included(first.as_bytes()), Included(last.as_bytes())))? {
        let (_, value) = entry?;
        changes.extend(Change::decode_all(value));
    }
    Ok(changes)
}

/// Removes the changes of transactions that are no longer kept, now and then.
pub(super) fn trim(writing: &mut Writing<'_>) -> heed::Result<()> {
    let transaction = writing.transaction();
    if transaction.is_multiple_of(TRIM_EVERY) && transaction > KEPT {
        let end = EntryKey::changes(transaction - KEPT - 1);
        let old = (Included([CHANGES].as_slice()), Excluded(end.as_bytes()));
        writing.tree.delete_range(&mut writing.txn, &old)?;
    }
    Ok(())
}
