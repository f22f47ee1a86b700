//! Pushed changes: what others are told, read from the end of the log (`log.rs`, `tail.rs`).
//!
//! Whoever has heard of all changes up to one transaction reads the notes of those after it. Whether
//! there may be any is told by the environment's last transaction: one read of shared memory. Whoever
//! is further behind than there are notes is told that changes may have been missed.

use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::appending::Written;
use super::layout::Change;
use super::log;
use super::opening::Opening;
use super::tail::End;
use crate::error::Error;
use crate::record::ScopeId;
use crate::store::audience::Audience;
use crate::store::{HolderId, KeyDigest, Sink};

#[derive(Default)]
pub(super) struct Ring {
    /// The last transaction whose changes have been told.
    told: AtomicU64,
    /// Where the log ended after that, if known; held while telling, so that neither runs ahead.
    telling: Mutex<Option<End>>,
    /// How often a change of scopes has been told; counted before [`told`](Self::told) moves on.
    scopes: AtomicU64,
    audience: Audience,
}

impl Ring {
    /// What came before does not concern those who subscribe now.
    pub(super) fn start(&self, opening: &Opening) -> Result<(), Error> {
        let transaction = opening.read("open", |snapshot, _| Ok(snapshot.id() as u64))?;
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

    /// Where the log ends before a transaction that is being written, if that is known.
    pub(super) fn end_before(&self, transaction: u64) -> Option<End> {
        let end = self.telling.try_lock()?;
        end.filter(|_| self.told.load(Ordering::Acquire) + 1 == transaction)
    }

    /// Tells everything that has not been told.
    pub(super) fn tell(&self, opening: &Opening) -> Result<(), Error> {
        self.tell_rest(opening, &mut self.telling.lock())
    }

    /// Tells what this process has just committed, before the operations resolve.
    pub(super) fn committed(&self, opening: &Opening, written: &Written) {
        let mut end = self.telling.lock();
        let told = self.told.load(Ordering::Acquire);
        if told + 1 == written.transaction {
            self.tell_all(written.changes());
            *end = Some(written.end);
            self.told.store(written.transaction, Ordering::Release);
        } else if told < written.transaction && self.tell_rest(opening, &mut end).is_err() {
            // What was committed is told at least; the rest is asked for again before it is trusted.
            self.tell_all(written.changes());
        }
    }

    /// Has the changes of the last transactions told again.
    #[cfg(test)]
    pub(super) fn rewind(&self, transactions: u64) {
        *self.telling.lock() = None;
        self.told.fetch_sub(transactions, Ordering::AcqRel);
    }

    fn tell_rest(&self, opening: &Opening, end: &mut Option<End>) -> Result<(), Error> {
        let told = self.told.load(Ordering::Acquire);
        // Copied out first: a sink must find no transaction open on its thread.
        let news = opening
            .read("tell", |snapshot, tree| log::news(snapshot, tree, &opening.tail, told))?;
        self.tell_all(news.changes.iter().copied());
        *end = news.end;
        self.told.store(news.transaction, Ordering::Release);
        Ok(())
    }

    fn tell_all(&self, changes: impl Iterator<Item = Change>) {
        for change in changes {
            match change {
                Change::Key { digest, by } => {
                    self.audience.tell(by, |sink| sink.key_changed(KeyDigest(digest)));
                }
                Change::Scope(id) => {
                    self.scopes.fetch_add(1, Ordering::AcqRel);
                    self.audience.tell(None, |sink| sink.scope_changed(ScopeId(id)));
                }
                Change::Everything => {
                    self.scopes.fetch_add(1, Ordering::AcqRel);
                    self.audience.tell(None, |sink| sink.lost());
                }
            }
        }
    }
}
