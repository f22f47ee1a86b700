//! What every part of one cache shares: the store and its settings, the flights, the counters, and
//! who must hear of changes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use crate::clock::{Clock, Moment};
use crate::codec::{self, Codec};
use crate::compress::Compression;
use crate::error::{Error, ErrorKind};
use crate::flight::Flights;
use crate::key::Key;
use crate::near::{self, Asks, Epoch, Values, Vouch};
use crate::observe::{CacheStats, Counter, Counters};
use crate::policy::{Policy, Timeout};
use crate::record::{Header, Record, Scope, ScopeId};
use crate::runtime;
use crate::store::{Capabilities, HolderId, KeyDigest, Pending, Severity, Sink, Store, StoredKey};

use super::renewal::Renewals;
use super::scopes::Scopes;

/// How many times as long as any other operation reclaiming room may take: its steps are as many as
/// there are records.
const RECLAIM_FOR: u32 = 60;

/// The one of a cache.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) capabilities: Capabilities,
    pub(crate) holder: HolderId,
    pub(crate) prefix: Box<str>,
    pub(crate) version: u32,
    /// What stands before a key of the cache's own version.
    pub(crate) own_head: Box<str>,
    pub(crate) codec: Codec,
    pub(crate) compression: Compression,
    pub(crate) policy: Policy,
    pub(crate) store_timeout: Duration,
    pub(crate) clock: Clock,
    pub(crate) flights: Arc<Flights>,
    pub(crate) counters: Counters,
    pub(crate) renewals: Arc<Renewals>,
    pub(crate) scopes: Scopes,
    pub(crate) enabled: AtomicBool,
    pub(crate) epochs: Epochs,
    pub(crate) values: Values,
    pub(crate) near_hits: Mutex<Vec<&'static Counter>>,
    /// Whether it stands in for a cache that cannot be made.
    pub(crate) stands_in: bool,
}

/// What stands before a key of this version in its stored form.
pub(super) fn stored_head(prefix: &str, version: u32) -> String {
    format!("{prefix}:{version}:")
}

impl Core {
    /// The stored form of a key, of its owner's version or the cache's own.
    pub(crate) fn stored_key(&self, key: &Key) -> StoredKey {
        let head = self.stored_head(key.owner().and_then(|owner| owner.version));
        StoredKey::new([&*head, key.text()].concat())
    }

    /// What stands before a key in its stored form.
    pub(crate) fn stored_head(&self, version: Option<u32>) -> Cow<'_, str> {
        match version {
            None => Cow::Borrowed(&self.own_head),
            Some(version) => Cow::Owned(stored_head(&self.prefix, version)),
        }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Acquire)
    }

    /// Switches reading and saving on or off; either way the near caches start empty.
    pub(crate) fn enable(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Release);
        self.lost();
    }

    /// Whether a near cache may stand in front of the store.
    pub(crate) fn has_near(&self) -> bool {
        self.capabilities.pushes
    }

    /// Hears of what others have changed so far, where the store tells: flights that no lease vouches
    /// for are not joined any more then.
    pub(crate) fn hear_of_changes(&self) {
        if self.capabilities.pushes {
            self.store.trusted();
        }
    }

    /// Whether near entries must ask the store, or a clock that is not the system's, at each hit.
    pub(crate) fn near_asks(&self) -> bool {
        self.capabilities.shared || self.clock.is_manual()
    }

    /// Invalidates scopes for everyone. What this process computes of them is not joined any more,
    /// and what it keeps of them near is void, whether the store took it or not.
    pub(crate) async fn invalidate(
        &self,
        scopes: &[Scope],
        severity: Severity,
    ) -> Result<(), Error> {
        let void_here = || {
            for scope in scopes {
                self.scope_changed(scope.id());
            }
        };
        void_here();
        let invalidated = self.ask("invalidate", self.store.invalidate(scopes, severity)).await;
        void_here();
        invalidated
    }

    /// Removes the records whose stored keys begin so, which have been invalidated before; says how
    /// many there were. A failure costs room and nothing else, so it is counted and no error.
    pub(crate) async fn reclaim(&self, prefix: &str) -> usize {
        let at_most = self.store_timeout.saturating_mul(RECLAIM_FOR);
        let removed = runtime::timeout(at_most, self.store.clear(prefix)).await;
        removed.unwrap_or_else(|| Err(self.no_answer("clear", at_most))).unwrap_or_else(|error| {
            self.count_failure(&error, &StoredKey::new(prefix));
            0
        })
    }

    /// Encodes, compresses and seals a value.
    pub(crate) fn seal<T: Serialize + ?Sized>(
        &self,
        header: &Header,
        value: &T,
    ) -> Result<Record, Error> {
        self.seal_by(self.codec, header, value)
    }

    /// The same, encoded by this codec.
    pub(crate) fn seal_by<T: Serialize + ?Sized>(
        &self,
        codec: Codec,
        header: &Header,
        value: &T,
    ) -> Result<Record, Error> {
        let record = codec::seal(header, value, codec, self.compression)?;
        match self.capabilities.max_record {
            Some(most) if record.bytes().len() > most => Err(Error::new(
                ErrorKind::TooLarge,
                "save",
                format!("the record has {} bytes, the store takes {most}", record.bytes().len()),
            )
            .with("store", self.store.name())),
            _ => Ok(record),
        }
    }

    /// What was counted, here and at the near caches in front.
    pub(crate) fn stats(&self) -> CacheStats {
        let near: u64 = self.near_hits.lock().iter().map(|counter| counter.total()).sum();
        let mut stats = self.counters.snapshot();
        stats.near_hits += near;
        stats
    }

    /// Counts the near hits of this counter as the cache's.
    pub(crate) fn watch_near_hits(&self, counter: &'static Counter) {
        let mut counters = self.near_hits.lock();
        if !counters.iter().any(|known| std::ptr::eq(*known, counter)) {
            counters.push(counter);
        }
    }

    /// When what is fresh for `timeout` from now on ends, by this process's clock.
    pub(crate) fn fresh_from_now(&self, timeout: Timeout) -> Moment {
        timeout.as_duration().map_or(Moment::NEVER, |timeout| self.store.now().plus(timeout))
    }

    /// What the store answers within `store_timeout`.
    pub(crate) async fn ask<T>(
        &self,
        operation: &'static str,
        pending: Pending<'_, T>,
    ) -> Result<T, Error> {
        match runtime::timeout(self.store_timeout, pending).await {
            Some(answer) => answer,
            None => Err(self.no_answer(operation, self.store_timeout)),
        }
    }

    pub(super) fn no_answer(&self, operation: &'static str, within: Duration) -> Error {
        let must_not_be_done_twice = matches!(operation, "save" | "touch" | "increment");
        let kind =
            if must_not_be_done_twice { ErrorKind::OutcomeUnknown } else { ErrorKind::Timeout };
        let is_of_lease = operation == "save" && within != self.store_timeout;
        let option = if is_of_lease { "lease" } else { "store_timeout" };
        let message = format!(
            "the store did not answer within {within:?}; raise `{option}` if this is usual"
        );
        Error::new(kind, operation, message).with("store", self.store.name())
    }

    /// Counts and reports a failure of the store that costs a caller only time.
    pub(crate) fn count_failure(&self, error: &Error, key: &StoredKey) {
        self.counters.store_errors.count();
        tracing::warn!(target: "keyedcache", store = self.store.name(), %key, %error, "store failed");
    }

    /// When something that is fresh until `moment` by the store's clock ends by this process's, told
    /// early by as much as the clock read on a near hit may lag.
    pub(crate) fn near_deadline(&self, moment: Moment) -> Moment {
        if moment == Moment::NEVER {
            return moment;
        }
        let left = moment.since(self.store.now());
        self.clock.now().plus(left).minus(Clock::COARSE)
    }
}

impl Vouch for Core {
    fn vouch(&self, asks: Asks, now: Moment, deadline: Moment) -> bool {
        let by_own_clock = if self.clock.is_manual() { self.clock.now() } else { now };
        // What no store keeps asks it too: changes are told by that.
        let trusted = self.store.trusted_at(now) || asks != Asks::Trust;
        trusted && by_own_clock < deadline
    }
}

impl Sink for Core {
    fn key_changed(&self, key: KeyDigest) {
        near::drop_key(key);
        self.flights.detach_unleased(key);
    }

    fn scope_changed(&self, scope: ScopeId) {
        self.flights.detach_scope(scope);
        if scope == self.scopes.everything().id() {
            self.lost();
        } else {
            self.epochs.bump(scope);
            near::drop_scope(scope);
        }
    }

    fn lost(&self) {
        self.flights.detach_all();
        self.epochs.bump_all();
        self.values.drop_all();
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("store", &self.store.name())
            .field("prefix", &self.prefix)
            .field("version", &self.version)
            .field("enabled", &self.is_enabled())
            .finish_non_exhaustive()
    }
}

/// Whose near entries are void when a scope changes.
#[derive(Default)]
pub(crate) struct Epochs {
    by_scope: Mutex<HashMap<ScopeId, Vec<&'static Epoch>>>,
    /// Of functions whose calls belong to scopes of their arguments too, of which there are too many
    /// to watch each.
    of_any_scope: Mutex<Vec<&'static Epoch>>,
}

impl Epochs {
    /// From now on `epoch` is bumped when `scope`, or everything, changes.
    pub(crate) fn watch(&self, scope: ScopeId, epoch: &'static Epoch) {
        add(epoch, self.by_scope.lock().entry(scope).or_default());
    }

    /// From now on `epoch` is bumped when a scope changes that nobody watches.
    pub(crate) fn watch_others(&self, epoch: &'static Epoch) {
        add(epoch, &mut self.of_any_scope.lock());
    }

    fn bump(&self, scope: ScopeId) {
        match self.by_scope.lock().get(&scope) {
            Some(watchers) => watchers.iter().for_each(|epoch| epoch.bump()),
            None => self.of_any_scope.lock().iter().for_each(|epoch| epoch.bump()),
        }
    }

    pub(crate) fn bump_all(&self) {
        for epoch in self.by_scope.lock().values().flatten() {
            epoch.bump();
        }
    }
}

fn add(epoch: &'static Epoch, watchers: &mut Vec<&'static Epoch>) {
    if !watchers.iter().any(|known| std::ptr::eq(*known, epoch)) {
        watchers.push(epoch);
    }
}
