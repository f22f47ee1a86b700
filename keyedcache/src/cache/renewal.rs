//! Keeps leases from running out while their bodies run.
//!
//! One task a cache renews all that are due, so that taking a lease costs a map entry and no timer.
//! It ends when it wakes and nothing is held, and never keeps a cache alive.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::runtime;
use crate::store::{LeaseToken, Store, StoredKey};

/// The leases this process holds of one store.
pub(crate) struct Renewals {
    store: Arc<dyn Store>,
    state: Mutex<State>,
    sooner: Arc<Notify>,
}

#[derive(Default)]
struct State {
    held: HashMap<LeaseToken, Held>,
    is_running: bool,
}

struct Held {
    key: StoredKey,
    lease: Duration,
    due: Instant,
    until: Instant,
}

impl Renewals {
    pub(crate) fn new(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store, state: Mutex::default(), sooner: Arc::default() })
    }

    /// Renews this lease each third of its time, until it is [forgotten](Self::forget) or
    /// `at_most` has passed.
    pub(crate) fn keep(
        self: &Arc<Self>,
        token: LeaseToken,
        key: StoredKey,
        lease: Duration,
        at_most: Duration,
    ) {
        let (due, until) = (runtime::after(lease / 3), runtime::after(at_most));
        let mut state = self.state.lock();
        let is_soonest = state.held.values().all(|other| due < other.due);
        state.held.insert(token, Held { key, lease, due, until });
        if !state.is_running {
            state.is_running = true;
            runtime::background().spawn(run(Arc::downgrade(self), Arc::clone(&self.sooner)));
        } else if is_soonest {
            self.sooner.notify_one();
        }
    }

    /// Renews this lease no more.
    pub(crate) fn forget(&self, token: LeaseToken) {
        self.state.lock().held.remove(&token);
    }

    /// When the next lease is due; `None` ends the task.
    fn next_due(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        let due = state.held.values().map(|held| held.due).min();
        state.is_running = due.is_some();
        due
    }

    fn renew_due(self: &Arc<Self>) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.held.retain(|_, held| held.until > now);
        for (&token, held) in state.held.iter_mut().filter(|(_, held)| held.due <= now) {
            held.due = runtime::after(held.lease / 3);
            runtime::background().spawn(renew(
                Arc::clone(self),
                token,
                held.key.clone(),
                held.lease,
            ));
        }
    }
}

async fn renew(renewals: Arc<Renewals>, token: LeaseToken, key: StoredKey, lease: Duration) {
    // An error says nothing about the lease: the next turn asks again, as long as it may stand.
    let renewed = runtime::timeout(lease / 3, renewals.store.renew(&key, token, lease)).await;
    if let Some(Ok(false)) = renewed {
        renewals.forget(token);
    }
}

async fn run(renewals: Weak<Renewals>, sooner: Arc<Notify>) {
    loop {
        let Some(due) = renewals.upgrade().and_then(|renewals| renewals.next_due()) else { return };
        let mut sleep = pin!(runtime::sleep(due.saturating_duration_since(Instant::now())));
        let mut sooner = pin!(sooner.notified());
        std::future::poll_fn(|context| match sooner.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => sleep.as_mut().poll(context),
        })
        .await;
        if let Some(renewals) = renewals.upgrade() {
            renewals.renew_due();
        }
    }
}
