//! Pushed changes: what others are told, read from the end of the log (`log.rs`).
//!
//! Whoever has heard of all changes up to one entry reads those after it. Whether there may be any
//! is told by the environment's last transaction: one read of shared memory. Whoever is further
//! behind than entries are kept is told that changes may have been missed.

use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::layout::Change;
use super::log;
use super::opening::Opening;
use super::writing::Written;
use crate::error::Error;
use crate::record::ScopeId;
use crate::store::audience::Audience;
use crate::store::{HolderId, KeyDigest, Sink};

#[derive(Default)]
pub(super) struct Ring {
    /// The last transaction whose changes have been told.
    told: AtomicU64,
    /// The last entry that has been told; held while telling, so that neither runs ahead.
    telling: Mutex<u64>,
    /// How often a change of scopes has been told; counted before [`told`](Self::told) moves on.
    scopes: AtomicU64,
    audience: Audience,
}

impl Ring {
    /// What came before does not concern those who subscribe now.
    pub(super) fn start(&self, opening: &Opening) -> Result<(), Error> {
        let (transaction, entry) = opening.read("open", |snapshot, tree| {
            Ok((snapshot.id() as u64, log::last(snapshot, tree)?))
        })?;
        *self.telling.lock() = entry;
        self.told.store(transaction, Ordering::Release);
        Ok(())
    }

    pub(super) fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        self.audience.admit(holder, sink);
    }

    /// Whether everything so far has been told; a few nanoseconds.
    pub(super) fn is_told(&self, opening: &Opening) -> bool {
        opening.env.info().last_txn_id as u64 == self.told.load(Ordering::Acquire)
    }

    /// Whether everything up to a transaction has been told.
    pub(super) fn has_told(&self, transaction: u64) -> bool {
        self.told.load(Ordering::Acquire) >= transaction
    }

    /// How often scopes have changed, of what has been told.
    pub(super) fn scope_changes(&self) -> u64 {
        self.scopes.load(Ordering::Acquire)
    }

    /// The last entry of the log before a transaction that is being written, if that is known.
    pub(super) fn last_before(&self, transaction: u64) -> Option<u64> {
        let entry = self.telling.try_lock()?;
        (self.told.load(Ordering::Acquire) + 1 == transaction).then_some(*entry)
    }

    /// Tells everything that has not been told.
    pub(super) fn tell(&self, opening: &Opening) -> Result<(), Error> {
        self.tell_rest(opening, &mut self.telling.lock())
    }

    /// Tells what this process has just committed, before the operations resolve.
    pub(super) fn committed(&self, opening: &Opening, written: &Written) {
        let mut entry = self.telling.lock();
        let told = self.told.load(Ordering::Acquire);
        if told + 1 == written.transaction {
            self.tell_all(&written.changes);
            *entry = written.last.unwrap_or(*entry);
            self.told.store(written.transaction, Ordering::Release);
        } else if told < written.transaction && self.tell_rest(opening, &mut entry).is_err() {
            // What was committed is told at least; the rest is asked for again before it is trusted.
            self.tell_all(&written.changes);
        }
    }

    /// Has the changes of the last entries told again.
    #[cfg(test)]
    pub(super) fn rewind(&self, entries: u64) {
        *self.telling.lock() -= entries;
        self.told.store(0, Ordering::Release);
    }

    fn tell_rest(&self, opening: &Opening, entry: &mut u64) -> Result<(), Error> {
        let told = *entry;
        // Copied out first: a sink must find no transaction open on its thread.
        let (transaction, last, changes) = opening.read("tell", |snapshot, tree| {
            let last = log::last(snapshot, tree)?;
            let changes = match last {
                last if last == told => Vec::new(),
                // Emptied and begun anew cannot be: that needs the folder to be closed.
                last if last < told || last - told > opening.kept() => vec![Change::Everything],
                _ => log::after(snapshot, tree, told)?
                    .map(|entry| entry.map(|(_, entry)| entry.change))
                    .collect::<heed::Result<_>>()?,
            };
            Ok((snapshot.id() as u64, last, changes))
        })?;
        self.tell_all(&changes);
        *entry = last;
        self.told.store(transaction, Ordering::Release);
        Ok(())
    }

    fn tell_all(&self, changes: &[Change]) {
        if changes.iter().any(|change| !matches!(change, Change::Key { .. })) {
            self.scopes.fetch_add(1, Ordering::AcqRel);
        }
        for change in changes {
            match *change {
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
