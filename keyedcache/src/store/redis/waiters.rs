//! Who of this process waits for a lease to end, and what pushes have said of it meanwhile.
//!
//! - A watch stands in the table before the command is sent that makes the server push, so a push
//!   that comes before its reply is not missed.
//! - What is heard ends the wait without a question: neither a grant nor a renewal is pushed to those
//!   who wait. So a waiter costs the server three commands: a look, the lease, and a look.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::runtime;
use crate::store::{LeaseToken, StoredKey};

/// From how many keys on the table is looked through for watches that nobody came for.
const SWEPT_FROM: usize = 256;

/// One who waits, or who has asked for a lease and may wait for another's.
#[derive(Debug)]
pub(super) struct Watch {
    has_heard: AtomicBool,
    told: Notify,
    standing: Mutex<Option<(LeaseToken, Instant)>>,
    is_claimed: AtomicBool,
}

impl Watch {
    fn new(is_claimed: bool) -> Arc<Self> {
        Arc::new(Self {
            has_heard: AtomicBool::new(false),
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

    fn hear(&self) {
        self.has_heard.store(true, Ordering::Release);
        self.told.notify_one();
    }

    /// Whether there is nothing to wait for any more.
    pub(super) fn has_heard(&self) -> bool {
        self.has_heard.load(Ordering::Acquire)
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
    pub(super) fn hear(&self, key: &StoredKey) {
        let watches = self.table.lock().watches.get(key).cloned();
        watches.iter().flatten().for_each(|watch| watch.hear());
    }

    /// Wakes everybody: changes may have been missed.
    pub(super) fn wake_all(&self) {
        let watches: Vec<_> = self.table.lock().watches.values().flatten().cloned().collect();
        for watch in watches {
            watch.hear();
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
    /// Leaves it in the table, for whoever waits for this lease; instead of all that were kept before,
    /// of whichever lease: two on one key never both stand.
    pub(super) fn keep(mut self, lease: LeaseToken, remaining: Duration) {
        self.watch.stands(lease, remaining);
        let mut table = self.waiters.table.lock();
        if let Some(watches) = table.watches.get_mut(&self.key) {
            // Who has not heard of a lease yet has still to be told what stands.
            watches.retain(|other| {
                let is_kept = other.end().is_some() && !other.is_claimed.load(Ordering::Acquire);
                Arc::ptr_eq(other, &self.watch) || !is_kept
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::HolderId;

    const LONG: Duration = Duration::from_hours(1);

    fn token() -> LeaseToken {
        LeaseToken::random(HolderId::random())
    }

    impl Waiters {
        fn count(&self, key: &StoredKey) -> usize {
            self.table.lock().watches.get(key).map_or(0, Vec::len)
        }
    }

    #[test]
    fn one_watch_is_kept_for_a_key_however_many_leases_come_and_go() {
        let (waiters, key) = (Waiters::default(), StoredKey::new("a:1:k"));
        for _ in 0..100 {
            waiters.prepare(&key).keep(token(), LONG);
        }
        assert_eq!(waiters.count(&key), 1);
    }

    #[test]
    fn keeping_one_leaves_those_who_wait_and_those_who_are_about_to_ask() {
        let (waiters, key) = (Waiters::default(), StoredKey::new("a:1:k"));
        let (earlier, later) = (token(), token());
        waiters.prepare(&key).keep(earlier, LONG);
        let claimed = waiters.claim(&key, earlier).unwrap();
        let asking = waiters.prepare(&key);
        waiters.prepare(&key).keep(later, LONG);
        assert_eq!(waiters.count(&key), 3);
        waiters.hear(&key);
        assert!(claimed.has_heard() && asking.has_heard());
        assert!(waiters.claim(&key, later).is_some_and(|watching| watching.has_heard()));
        drop((claimed, asking));
        assert_eq!(waiters.count(&key), 0);
    }
}
