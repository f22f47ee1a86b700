//! Who of this process waits for a lease to end, and what pushes have said of it meanwhile.
//!
//! - A watch stands in the table before the command is sent that makes the server push, so a push
//!   that comes before its reply is not missed.
//! - That the lease has changed may be a renewal: who waits asks once more. That the record has
//!   changed ends the wait without a question, so that a waiter costs the server two commands.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::runtime;
use crate::store::{LeaseToken, StoredKey};

/// From how many keys on the table is looked through for watches that nobody came for.
const SWEPT_FROM: usize = 256;

/// What has been heard of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// Nothing.
    Nothing,
    /// Its lease is another, or has another end.
    LeaseChanged,
    /// There is nothing to wait for any more.
    Over,
}

/// One who waits, or who has asked for a lease and may wait for another's.
#[derive(Debug)]
pub(super) struct Watch {
    heard: AtomicU8,
    told: Notify,
    standing: Mutex<Option<(LeaseToken, Instant)>>,
    is_claimed: AtomicBool,
}

impl Watch {
    fn new(is_claimed: bool) -> Arc<Self> {
        Arc::new(Self {
            heard: AtomicU8::new(Heard::Nothing as u8),
            told: Notify::new(),
            standing: Mutex::new(None),
            is_claimed: AtomicBool::new(is_claimed),
        })
    }

    /// The lease that stands, and for how long unless it is renewed.
    pub(super) fn stands(&self, lease: LeaseToken, remaining: Duration) {
        *self.standing.lock() = Some((lease, runtime::after(remaining)));
    }

    /// When the lease ends by its own time.
    pub(super) fn end(&self) -> Option<Instant> {
        self.standing.lock().map(|(_, end)| end)
    }

    fn is_of(&self, lease: LeaseToken) -> bool {
        self.standing.lock().is_some_and(|(standing, _)| standing == lease)
    }

    fn hear(&self, heard: Heard) {
        self.heard.fetch_max(heard as u8, Ordering::AcqRel);
        self.told.notify_one();
    }

    /// What has been heard since this was last asked.
    pub(super) fn heard(&self) -> Heard {
        match self.heard.swap(Heard::Nothing as u8, Ordering::AcqRel) {
            0 => Heard::Nothing,
            1 => Heard::LeaseChanged,
            _ => Heard::Over,
        }
    }

    /// Returns when something has been heard, or after `at_most`.
    pub(super) async fn listen(&self, at_most: Duration) {
        runtime::timeout(at_most, self.told.notified()).await;
    }
}

/// All watches of one store.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    watches: HashMap<StoredKey, Vec<Arc<Watch>>>,
    /// How many keys there were after the last look through all.
    kept: usize,
}

impl Waiters {
    /// A watch of a key for one who will not wait for it itself; it ends with what is returned unless
    /// that is [kept](Watching::keep).
    pub(super) fn prepare(&self, key: &StoredKey) -> Watching<'_> {
        self.enter(key, Watch::new(false))
    }

    /// A watch of a key for one who waits.
    pub(super) fn watch(&self, key: &StoredKey) -> Watching<'_> {
        self.enter(key, Watch::new(true))
    }

    fn enter(&self, key: &StoredKey, watch: Arc<Watch>) -> Watching<'_> {
        let mut table = self.table.lock();
        table.sweep();
        table.watches.entry(key.clone()).or_default().push(Arc::clone(&watch));
        Watching { waiters: self, key: key.clone(), watch, is_kept: false }
    }

    /// The watch that was kept when this lease was found to stand, if no one has claimed it.
    pub(super) fn claim(&self, key: &StoredKey, lease: LeaseToken) -> Option<Watching<'_>> {
        let table = self.table.lock();
        let watches = table.watches.get(key)?;
        // The latest: of all that are kept, it has heard least that is of no interest any more.
        let free = |watch: &&Arc<Watch>| {
            watch.is_of(lease) && !watch.is_claimed.swap(true, Ordering::AcqRel)
        };
        let watch = Arc::clone(watches.iter().rev().find(free)?);
        Some(Watching { waiters: self, key: key.clone(), watch, is_kept: false })
    }

    /// Tells those who watch this key.
    pub(super) fn hear(&self, key: &StoredKey, heard: Heard) {
        let watches = self.table.lock().watches.get(key).cloned();
        watches.iter().flatten().for_each(|watch| watch.hear(heard));
    }

    /// Wakes everybody: changes may have been missed.
    pub(super) fn wake_all(&self) {
        let watches: Vec<_> = self.table.lock().watches.values().flatten().cloned().collect();
        for watch in watches {
            watch.hear(Heard::Over);
        }
    }
}

impl Table {
    /// Drops, now and then, what was kept and nobody came for.
    fn sweep(&mut self) {
        if self.watches.len() < SWEPT_FROM.max(2 * self.kept) {
            return;
        }
        let now = Instant::now();
        self.watches.retain(|_, watches| {
            watches.retain(|watch| {
                let is_over = watch.end().is_some_and(|end| end <= now);
                watch.is_claimed.load(Ordering::Acquire) || !is_over
            });
            !watches.is_empty()
        });
        self.kept = self.watches.len();
    }

    fn remove(&mut self, key: &StoredKey, watch: &Arc<Watch>) {
        let Some(watches) = self.watches.get_mut(key) else { return };
        watches.retain(|other| !Arc::ptr_eq(other, watch));
        if watches.is_empty() {
            self.watches.remove(key);
        }
    }
}

/// A watch in the table; dropped, it is taken out.
#[derive(Debug)]
pub(super) struct Watching<'a> {
    waiters: &'a Waiters,
    key: StoredKey,
    watch: Arc<Watch>,
    is_kept: bool,
}

impl Watching<'_> {
    /// Leaves it in the table, for whoever waits for this lease; instead of what was kept before.
    pub(super) fn keep(mut self, lease: LeaseToken, remaining: Duration) {
        self.watch.stands(lease, remaining);
        let mut table = self.waiters.table.lock();
        if let Some(watches) = table.watches.get_mut(&self.key) {
            watches.retain(|other| {
                let is_older = other.is_of(lease) && !other.is_claimed.load(Ordering::Acquire);
                Arc::ptr_eq(other, &self.watch) || !is_older
            });
        }
        drop(table);
        self.is_kept = true;
    }
}

impl std::ops::Deref for Watching<'_> {
    type Target = Watch;

    fn deref(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.waiters.table.lock().remove(&self.key, &self.watch);
        }
    }
}
