//! The null store: keeps nothing and says so, for caches that are switched off by configuration.
//!
//! - Every scope bears the same generation, and any invalidation replaces it for all. So a scope is
//!   never absent (no caller is sent to create it), callers of one generation still share a flight
//!   within the process, and none joins a flight that began before an invalidation.
//! - It grants every lease at once and remembers none, so whoever asks computes.

use std::sync::Weak;
use std::time::Duration;

use parking_lot::RwLock;

use super::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page, Pending,
    Release, Severity, Sink, Slot, Store, StoredKey, Ttl,
};
use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::record::Life;
use crate::record::{Generation, GenerationToken, Record, RecordId, Scope};

/// A store that keeps nothing: every load finds nothing, no save takes place.
///
/// ```
/// use keyedcache::store::{NullStore, Store};
///
/// assert!(!NullStore::new().capabilities().stores);
/// ```
#[derive(Debug)]
pub struct NullStore {
    clock: Clock,
    generation: RwLock<Generation>,
}

impl NullStore {
    /// A null store on the system's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    /// A null store on this clock.
    #[must_use]
    pub fn with_clock(clock: Clock) -> Self {
        Self { clock, generation: RwLock::new(Generation::random()) }
    }
}

impl Default for NullStore {
    fn default() -> Self {
        Self::new()
    }
}

fn answer<'a, T: Send + 'a>(answer: T) -> Pending<'a, T> {
    Box::pin(std::future::ready(Ok::<T, Error>(answer)))
}

impl Store for NullStore {
    fn name(&self) -> &'static str {
        "null"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { stores: false, ..Capabilities::new() }
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        let generation = *self.generation.read();
        answer(Loaded {
            slots: vec![Slot::default(); keys.len()],
            generations: vec![Some(generation); scopes.len()],
        })
    }

    fn save<'a>(
        &'a self,
        _: &'a StoredKey,
        _: Record,
        _: Ttl,
        _: Guard,
        _: &'a [Scope],
    ) -> Pending<'a, bool> {
        answer(false)
    }

    fn delete<'a>(&'a self, _: &'a [StoredKey]) -> Pending<'a, usize> {
        answer(0)
    }

    fn lease<'a>(
        &'a self,
        _: &'a StoredKey,
        _: LeaseToken,
        _: Duration,
        _: Option<RecordId>,
    ) -> Pending<'a, Leasing> {
        answer(Leasing::Granted)
    }

    fn renew<'a>(&'a self, _: &'a StoredKey, _: LeaseToken, _: Duration) -> Pending<'a, bool> {
        answer(false)
    }

    fn release<'a>(&'a self, _: &'a StoredKey, _: LeaseToken, _: Release) -> Pending<'a, bool> {
        answer(false)
    }

    fn changed<'a>(&'a self, _: &'a StoredKey, _: LeaseToken, _: Duration) -> Pending<'a, ()> {
        answer(())
    }

    fn subscribe(&self, _: HolderId, _: Weak<dyn Sink>) {}

    /// Never: what is not stored is not to be served from a near cache either.
    fn trusted(&self) -> bool {
        false
    }

    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        answer(vec![*self.generation.read(); scopes.len()])
    }

    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()> {
        Box::pin(async move {
            if scopes.is_empty() {
                return Ok(());
            }
            let token = GenerationToken::random();
            let mut generation = self.generation.write();
            match severity {
                Severity::Hard => generation.hard = token,
                Severity::Soft => generation.soft = token,
            }
            Ok(())
        })
    }

    fn touch<'a>(
        &'a self,
        _: &'a StoredKey,
        _: RecordId,
        _: Life,
        _: &'a [Scope],
    ) -> Pending<'a, bool> {
        answer(false)
    }

    fn increment<'a>(&'a self, _: &'a StoredKey, _: RecordId, _: i64) -> Pending<'a, Incremented> {
        answer(Incremented::Changed(Slot::default()))
    }

    fn scan<'a>(&'a self, _: &'a str, _: Option<&'a str>, _: usize) -> Pending<'a, Page> {
        answer(Page::default())
    }

    fn clear<'a>(&'a self, _: &'a str) -> Pending<'a, usize> {
        answer(0)
    }
}
