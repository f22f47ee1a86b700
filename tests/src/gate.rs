//! A body that a test holds in the middle: it says that it runs, and goes on when it may.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::watchdog::PATIENCE;

/// Counts the runs of a body, and holds those that come while it is closed. Open at first.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    opened: Notify,
}

#[derive(Clone, Copy, Debug)]
struct State {
    runs: usize,
    running: usize,
    most_at_once: usize,
    closed: bool,
}

impl Gate {
    /// A gate that is open.
    #[must_use]
    pub const fn new() -> Self {
        let state = State { runs: 0, running: 0, most_at_once: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), opened: Notify::const_new() }
    }

    /// A sync body passes: counts the run and waits while the gate is closed; answers which run this
    /// is, from 1.
    ///
    /// # Panics
    ///
    /// If nobody opens it for [`PATIENCE`].
    pub fn pass(&self) -> usize {
        let (run, _running) = self.enter();
        let mut state = self.lock();
        while state.closed {
            let (next, waited) =
                self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            assert!(!waited.timed_out(), "nobody opened the gate");
            state = next;
        }
        run
    }

    /// An async body passes.
    pub async fn pass_async(&self) -> usize {
        let (run, _running) = self.enter();
        loop {
            let opened = self.opened.notified();
            if !self.lock().closed {
                return run;
            }
            opened.await;
        }
    }

    /// A sync body that takes some time; answers which run this is.
    pub fn work(&self, time: Duration) -> usize {
        let (run, _running) = self.enter();
        std::thread::sleep(time);
        run
    }

    /// An async body that takes some time.
    pub async fn work_async(&self, time: Duration) -> usize {
        let (run, _running) = self.enter();
        tokio::time::sleep(time).await;
        run
    }

    /// Who comes from now on has to wait.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    /// Lets all pass.
    pub fn open(&self) {
        self.lock().closed = false;
        self.changed.notify_all();
        self.opened.notify_waiters();
    }

    /// Counts from nothing again, open.
    ///
    /// # Panics
    ///
    /// If a body runs.
    pub fn reset(&self) {
        let running = self.lock().running;
        assert_eq!(running, 0, "nobody is to be forgotten inside");
        *self.lock() = State { runs: 0, running: 0, most_at_once: 0, closed: false };
    }

    /// How many runs have begun.
    pub fn runs(&self) -> usize {
        self.lock().runs
    }

    /// How many run now.
    pub fn running(&self) -> usize {
        self.lock().running
    }

    /// How many ran at the same time at most.
    pub fn most_at_once(&self) -> usize {
        self.lock().most_at_once
    }

    fn enter(&self) -> (usize, Running<'_>) {
        let mut state = self.lock();
        state.runs += 1;
        state.running += 1;
        state.most_at_once = state.most_at_once.max(state.running);
        (state.runs, Running(self))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

struct Running<'a>(&'a Gate);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}
