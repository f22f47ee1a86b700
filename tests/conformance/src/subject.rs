//! The store under test, as a case meets it: its handles, its names, its time, what it can do.

use std::fmt;
use std::ops::Deref;
use std::sync::Barrier;
use std::time::Duration;

use keyedcache::record::Scope;
use keyedcache::store::{HolderId, StoredKey};

use crate::{Handle, Harness};

/// What a case comes to, unless it fails by a panic.
pub type Verdict = Result<(), Skipped>;

/// Why a case does not apply to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped(&'static str);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Long enough that it is never over during a case.
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// The store under test. Its methods are those of its first [`Handle`].
pub struct Subject<'a> {
    harness: &'a dyn Harness,
    handles: Vec<Handle>,
    prefix: String,
}

impl Deref for Subject<'_> {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handles[0]
    }
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("handles", &self.handles)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl<'a> Subject<'a> {
    pub(crate) fn new(harness: &'a dyn Harness) -> Self {
        let handles = std::iter::once(harness.store()).chain(harness.again());
        Self {
            harness,
            handles: handles.map(Handle::new).collect(),
            prefix: format!("conformance-{:016x}:1:", HolderId::random().0),
        }
    }

    /// What every key of this case starts with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key that ends in `name`.
    pub(crate) fn key(&self, name: &str) -> StoredKey {
        StoredKey::new(format!("{}{name}", self.prefix))
    }

    pub(crate) fn scope(&self, name: &str) -> Scope {
        Scope::new(format!("{}{name}", self.prefix))
    }

    /// The handle of the `n`th of several who use the storage at once: they take turns.
    pub(crate) fn handle(&self, n: usize) -> &Handle {
        &self.handles[n % self.handles.len()]
    }

    /// Another handle than the first if there are two, else the first.
    pub(crate) fn other(&self) -> &Handle {
        self.handle(1)
    }

    /// How long what is to end during the case lasts.
    pub(crate) fn short(&self) -> Duration {
        self.harness.short()
    }

    /// Lets time pass until what lasts [`short`](Self::short) is over for certain.
    pub(crate) fn outlast(&self) {
        self.harness.advance(self.short() * 2);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.harness.advance(by);
    }

    /// Returns once all changes so far have been told to those who listen on the first handle.
    pub(crate) fn catch_up(&self) {
        if self.harness.pushes_travel() {
            // So many that no node of a store of several is left out.
            let keys: Vec<_> = (0..64).map(|n| self.key(&format!("caught up::{n}"))).collect();
            self.load_all(&keys, &[]);
        }
        self.handle(0).catch_up();
    }

    /// Whether changes are told by way of a network.
    pub(crate) fn pushes_travel(&self) -> bool {
        self.harness.pushes_travel()
    }

    pub(crate) fn plant_foreign(&self) -> Result<Box<dyn FnOnce() -> bool + '_>, Skipped> {
        self.harness.plant_foreign().ok_or(Skipped("the harness plants no foreign data"))
    }

    /// What `attempt` gave the first time it took less than half of [`short`](Self::short), so that
    /// nothing so short-lived ended under its hands. It is told the number of the attempt, and uses
    /// new keys for each.
    pub(crate) fn promptly<T>(&self, attempt: impl Fn(usize) -> T) -> T {
        for number in 0..50 {
            let start = self.store().now();
            let answer = attempt(number);
            if self.store().now().since(start) < self.short() / 2 {
                return answer;
            }
        }
        panic!("fifty times, a few operations took longer than half of the harness's short time");
    }

    /// What each of `many` threads answers that all begin at once, in no particular order.
    pub(crate) fn contest<T: Send>(
        &self,
        many: usize,
        act: impl Fn(usize, &Handle) -> T + Sync,
    ) -> Vec<T> {
        let start = Barrier::new(many);
        std::thread::scope(|scope| {
            let (start, act) = (&start, &act);
            let threads: Vec<_> = (0..many)
                .map(|n| {
                    let handle = self.handle(n);
                    scope.spawn(move || {
                        start.wait();
                        act(n, handle)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("a contestant failed")).collect()
        })
    }

    pub(crate) fn needs_storage(&self) -> Verdict {
        require(self.capabilities().stores, "the store keeps nothing")
    }

    pub(crate) fn needs_emptiness(&self) -> Verdict {
        require(!self.capabilities().stores, "the store keeps what it is given")
    }

    pub(crate) fn needs_leases(&self) -> Verdict {
        require(self.capabilities().leases, "the store grants no leases")
    }

    pub(crate) fn needs_pushes(&self) -> Verdict {
        require(self.capabilities().pushes, "the store pushes no changes")
    }

    pub(crate) fn needs_two_handles(&self) -> Verdict {
        require(self.handles.len() > 1, "the harness opens the storage only once")
    }

    pub(crate) fn needs_room_for(&self, bytes: usize) -> Verdict {
        let bound = self.capabilities().max_record;
        require(bound.is_none_or(|bound| bound >= bytes), "the store takes no record so large")
    }

    pub(crate) fn needs_a_bound(&self) -> Result<usize, Skipped> {
        self.capabilities().max_record.ok_or(Skipped("the store takes records of any size"))
    }
}

fn require(can: bool, else_because: &'static str) -> Verdict {
    if can { Ok(()) } else { Err(Skipped(else_because)) }
}
