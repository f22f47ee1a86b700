//! A store in front of another one, each of whose operations is performed in the manner of the front.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyedcache::Moment;
use keyedcache::record::{Generation, Life, Record, RecordId, Scope};
use keyedcache::store::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page, Pending,
    Release, See, Severity, Sink, Store, StoredKey, Ttl,
};

/// An operation of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Operation {
    Load,
    Save,
    Delete,
    Lease,
    Renew,
    Release,
    Changed,
    Generations,
    Keep,
    Invalidate,
    Touch,
    Increment,
    Scan,
    Clear,
}

impl Operation {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Load,
        Self::Save,
        Self::Delete,
        Self::Lease,
        Self::Renew,
        Self::Release,
        Self::Changed,
        Self::Generations,
        Self::Keep,
        Self::Invalidate,
        Self::Touch,
        Self::Increment,
        Self::Scan,
        Self::Clear,
    ];
}

/// How a front has the operations performed of the store behind it.
pub trait Manner: Send + Sync {
    /// Performs an operation; `work` asks the store behind.
    fn perform<'a, T: Send + 'a>(
        &self,
        operation: Operation,
        work: impl FnOnce() -> Pending<'a, T>,
    ) -> Pending<'a, T>;
}

/// A store in front of another one.
pub struct Front<M> {
    inner: Arc<dyn Store>,
    pub(crate) manner: M,
}

impl<M> Front<M> {
    pub(crate) fn of(inner: Arc<dyn Store>, manner: M) -> Self {
        Self { inner, manner }
    }
}

impl<M> fmt::Debug for Front<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
impl<M: Manner> Store for Front<M> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn now(&self) -> Moment {
        self.inner.now()
    }

    fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        self.inner.subscribe(holder, sink);
    }

    fn scopes_for<'a>(&self, key: &StoredKey, scopes: &'a [Scope]) -> Cow<'a, [Scope]> {
        self.inner.scopes_for(key, scopes)
    }

    fn trusted(&self) -> bool {
        self.inner.trusted()
    }

    fn trusted_at(&self, now: Moment) -> bool {
        self.inner.trusted_at(now)
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        self.manner.perform(Operation::Load, || self.inner.load(keys, scopes))
    }

    fn glance<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        self.manner.perform(Operation::Load, || self.inner.glance(keys, scopes))
    }

    /// Nothing: every manner of loading is seen.
    fn show(&self, _: &str, _: &[Scope], _: &mut See<'_>) -> bool {
        false
    }

    fn save<'a>(
        &'a self,
        key: &'a StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
        scopes: &'a [Scope],
    ) -> Pending<'a, bool> {
        self.manner.perform(Operation::Save, || self.inner.save(key, record, ttl, guard, scopes))
    }

    fn delete<'a>(&'a self, keys: &'a [StoredKey]) -> Pending<'a, usize> {
        self.manner.perform(Operation::Delete, || self.inner.delete(keys))
    }

    fn lease<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Pending<'a, Leasing> {
        self.manner.perform(Operation::Lease, || self.inner.lease(key, token, ttl, seen))
    }

    fn renew<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Pending<'a, bool> {
        self.manner.perform(Operation::Renew, || self.inner.renew(key, token, ttl))
    }

    fn release<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Pending<'a, bool> {
        self.manner.perform(Operation::Release, || self.inner.release(key, token, release))
    }

    fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()> {
        self.manner.perform(Operation::Changed, || self.inner.changed(key, lease, at_most))
    }

    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        self.manner.perform(Operation::Generations, || self.inner.generations(scopes))
    }

    fn keep<'a>(&'a self, scopes: &'a [Scope], ttl: Ttl) -> Pending<'a, ()> {
        self.manner.perform(Operation::Keep, || self.inner.keep(scopes, ttl))
    }

    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()> {
        self.manner.perform(Operation::Invalidate, || self.inner.invalidate(scopes, severity))
    }

    fn touch<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        life: Life,
        scopes: &'a [Scope],
    ) -> Pending<'a, bool> {
        self.manner.perform(Operation::Touch, || self.inner.touch(key, seen, life, scopes))
    }

    fn increment<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Pending<'a, Incremented> {
        self.manner.perform(Operation::Increment, || self.inner.increment(key, seen, by))
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Page> {
        self.manner.perform(Operation::Scan, || self.inner.scan(prefix, from, limit))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Pending<'a, usize> {
        self.manner.perform(Operation::Clear, || self.inner.clear(prefix))
    }

    fn require(&self) -> Pending<'_, ()> {
        self.inner.require()
    }
}
