//! Waiters: those who want to know when a lease no longer stands, and the one thread that watches
//! for all of them.
//!
//! While somebody waits it reads the environment's last transaction number each millisecond, which
//! costs no system call, and the leases only if that has moved; the owners of the leases are probed
//! each 20 ms. While nobody waits it sleeps.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::opening::Opening;
use super::owner::OwnerId;
use super::reader;
use crate::clock::Moment;
use crate::error::Error;
use crate::runtime::timeout;
use crate::store::{LeaseToken, StoredKey};

/// How often the last transaction number is read while somebody waits.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How often time is looked at, and owners are probed.
const PROBE_EVERY: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(super) struct Waiters {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u64, Waiting>,
    next: u64,
    /// Something has been committed here.
    look_now: bool,
    is_closed: bool,
}

struct Waiting {
    awaited: Awaited,
    wake: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Awaited {
    key: StoredKey,
    lease: LeaseToken,
    /// When it is over in any case, by the store's clock.
    until: Moment,
}

/// A place among those who wait; given up when dropped.
struct Registered<'w> {
    waiters: &'w Waiters,
    number: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.waiters.state.lock().waiting.remove(&self.number);
    }
}

impl Waiters {
    /// Has those who wait looked after at once.
    pub(super) fn look(&self) {
        let mut state = self.state.lock();
        if !state.waiting.is_empty() {
            state.look_now = true;
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Ends the watching, and wakes everybody.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.wake.notify_one();
    }

    #[cfg(test)]
    pub(super) fn is_watching(&self) -> bool {
        !self.state.lock().waiting.is_empty()
    }

    fn register(&self, awaited: Awaited) -> (Registered<'_>, oneshot::Receiver<()>) {
        let (wake, woken) = oneshot::channel();
        let mut state = self.state.lock();
        let number = state.next;
        state.next += 1;
        let is_first = state.waiting.is_empty();
        state.waiting.insert(number, Waiting { awaited, wake });
        drop(state);
        if is_first {
            self.wake.notify_one();
        }
        let registered = Registered { waiters: self, number };
        (registered, woken)
    }

    fn awaited(&self) -> Vec<(u64, Awaited)> {
        let state = self.state.lock();
        let waiting = state.waiting.iter();
        waiting.map(|(number, waiting)| (*number, waiting.awaited.clone())).collect()
    }

    /// Sleeps until it is time to look, or there is somebody to look after; `false` at the end.
    fn pause(&self) -> bool {
        let mut state = self.state.lock();
        while state.waiting.is_empty() && !state.is_closed {
            self.wake.wait(&mut state);
        }
        if !state.look_now && !state.is_closed {
            self.wake.wait_for(&mut state, LOOK_EVERY);
        }
        state.look_now = false;
        !state.is_closed
    }
}

impl Opening {
    /// Returns when the lease no longer stands on the key, or after `at_most`.
    pub(super) async fn changed(
        &self,
        key: &StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Result<(), Error> {
        let awaited = Awaited { key: key.clone(), lease, until: self.clock.now().plus(at_most) };
        // Registered first, so that what ends it after the look is not missed.
        let (registered, woken) = self.waiters.register(awaited.clone());
        if self.is_over(&awaited, Some(&mut Probes::default()))? {
            return Ok(());
        }
        // Woken, out of time, or the store is closing: all mean that the caller reads again.
        let _ = timeout(at_most, woken).await;
        drop(registered);
        Ok(())
    }

    fn is_over(&self, awaited: &Awaited, probes: Option<&mut Probes>) -> Result<bool, Error> {
        let now = self.clock.now();
        let lease =
            self.read("wait", |snapshot, tree| reader::lease(snapshot, tree, &awaited.key))?;
        let standing = lease.filter(|lease| lease.stands(now) && lease.token == awaited.lease);
        Ok(match (standing, probes) {
            (None, _) => true,
            _ if awaited.until <= now => true,
            (Some(lease), Some(probes)) => !probes.is_alive(self, lease.owner),
            (Some(_), None) => false,
        })
    }
}

/// What the owners' files have told in one round: each is probed once.
#[derive(Default)]
struct Probes(HashMap<OwnerId, bool>);

impl Probes {
    fn is_alive(&mut self, opening: &Opening, owner: OwnerId) -> bool {
        let probe = || opening.owners.is_alive(owner);
        *self.0.entry(owner).or_insert_with(probe)
    }
}

/// Watches until the store is closed.
pub(super) fn run(opening: &Opening) {
    let (mut seen, mut last_probe) = (None, Instant::now());
    while opening.waiters.pause() {
        let last = Some(opening.env.info().last_txn_id);
        let is_time = last_probe.elapsed() >= PROBE_EVERY;
        if last == seen && !is_time {
            continue;
        }
        seen = last;
        let mut probes = Probes::default();
        for (number, awaited) in opening.waiters.awaited() {
            let over = opening.is_over(&awaited, is_time.then_some(&mut probes));
            // What cannot be read is for the one who waits to find out.
            if over.unwrap_or(true) {
                let waiting = opening.waiters.state.lock().waiting.remove(&number);
                if let Some(waiting) = waiting {
                    let _ = waiting.wake.send(()); // may have gone meanwhile
                }
            }
        }
        if is_time {
            last_probe = Instant::now();
        }
    }
    opening.waiters.state.lock().waiting.clear();
}
