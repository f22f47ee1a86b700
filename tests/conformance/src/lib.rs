//! The behaviours every keyedcache store must show, one test a behaviour.
//!
//! An implementor says how to make a store in a [`Harness`] and calls [`suite!`] in a file of
//! `tests/`; each case is then a `#[test]` of its own there:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use keyedcache::store::{MemoryStore, Store};
//! use keyedcache_conformance::Harness;
//!
//! struct Memory;
//!
//! impl Harness for Memory {
//!     fn store(&self) -> Arc<dyn Store> {
//!         Arc::new(MemoryStore::new())
//!     }
//!
//!     fn advance(&self, by: Duration) {
//!         std::thread::sleep(by);
//!     }
//! }
//!
//! keyedcache_conformance::suite!(Memory);
//! # fn main() {}
//! ```
//!
//! - Cases call the store from plain threads, outside of any async runtime.
//! - Each case names its keys and scopes by a random prefix that starts with `conformance-`, so many
//!   may run at once on one server.
//! - What a store cannot do it says in its [capabilities](keyedcache::store::Capabilities); the cases
//!   that need it then print why they were skipped, and pass.
//! - With a store on a real clock [`advance`](Harness::advance) sleeps, and the cases about time take
//!   as long; no case asserts that something happened quickly, but for waits that must end.

// A case panics where the store fails it; saying so on each would bury what it shows.
#![allow(clippy::missing_panics_doc)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use keyedcache::store::Store;

pub mod clear;
pub mod concurrency;
pub mod counters;
pub mod expiry;
mod fixtures;
pub mod generations;
pub mod guards;
mod handle;
pub mod leases;
mod listener;
pub mod nothing;
pub mod pushes;
pub mod records;
pub mod scan;
mod subject;
mod suite;
pub mod waiting;

pub use handle::Handle;
pub use subject::{Skipped, Subject, Verdict};

/// How to make the store under test, and what only its maker can do to it.
///
/// Each case makes its own harness.
pub trait Harness: Send + Sync {
    /// The store under test, empty. Called once, before everything else.
    fn store(&self) -> Arc<dyn Store>;

    /// Another handle to the storage of the same store, as another process would open it; `None`
    /// (the default) if the storage cannot be opened twice. Contests are then between both.
    fn again(&self) -> Option<Arc<dyn Store>> {
        None
    }

    /// Lets the store's clock go forward: moves a manual clock, or sleeps.
    fn advance(&self, by: Duration);

    /// A time that the store can tell apart; 100 ms by default.
    ///
    /// What is to end during a case is kept for this long. Make it longer for a store whose clock
    /// or network is coarser.
    fn short(&self) -> Duration {
        Duration::from_millis(100)
    }

    /// Whether what other handles change is told only as fast as a network is: the cases about pushes
    /// then load something, which comes after all that was told before. Such a store may tell a holder
    /// of its own saves, too. `false` by default.
    fn pushes_travel(&self) -> bool {
        false
    }

    /// Puts data that is none of the cache's into the storage; calling what is returned says
    /// whether all of it is still there, unchanged. `None` (the default) if none can be there.
    fn plant_foreign(&self) -> Option<Box<dyn FnOnce() -> bool + '_>> {
        None
    }
}

/// Runs one case on a fresh store. For expansions of [`suite!`].
#[doc(hidden)]
pub fn run(name: &str, harness: &dyn Harness, case: fn(&Subject<'_>) -> Verdict) {
    let subject = Subject::new(harness);
    let verdict = subject.needs_storage().and_then(|()| case(&subject));
    report(name, verdict);
}

/// Runs one case that is only for stores that keep nothing. For expansions of [`suite!`].
#[doc(hidden)]
pub fn run_on_nothing(name: &str, harness: &dyn Harness, case: fn(&Subject<'_>) -> Verdict) {
    let subject = Subject::new(harness);
    let verdict = subject.needs_emptiness().and_then(|()| case(&subject));
    report(name, verdict);
}

/// One case of the [`suite!`].
struct Case {
    name: &'static str,
    run: fn(&str, &dyn Harness),
}

#[allow(clippy::vec_init_then_push)] // the list comes from a macro that knows no other way
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    __groups! { listed (cases) }
    cases
}

/// Runs every case of the [`suite!`] in one test, for stores whose storage takes long to make: all
/// share it, `at_once` at a time.
///
/// # Panics
///
/// If a case fails, after all have run; it names those that did.
pub fn run_all(harness: &dyn Harness, at_once: usize) {
    let cases = cases();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    println!("{}", case.name);
                    let run = AssertUnwindSafe(|| (case.run)(case.name, harness));
                    if catch_unwind(run).is_err() {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(case.name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(failed.is_empty(), "{} of {} cases: {}", failed.len(), cases.len(), failed.join(", "));
}

fn report(name: &str, verdict: Verdict) {
    if let Err(skipped) = verdict {
        println!("skipped {name}: {skipped}");
    }
}
