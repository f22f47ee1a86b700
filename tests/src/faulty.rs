//! A store of which single operations can be made to fail, or never to answer.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use keyedcache::record::{Generation, Life, Record, RecordId, Scope};
use keyedcache::store::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page, Pending,
    Release, Severity, Sink, Store, StoredKey, Ttl,
};
use keyedcache::{Error, ErrorKind, Moment};

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
        Self::Invalidate,
        Self::Touch,
        Self::Increment,
        Self::Scan,
        Self::Clear,
    ];
}

/// What an operation does in place of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fails, without having done anything.
    Fails,
    /// Never answers, without having done anything.
    Hangs,
}

/// A store in front of another one, whose operations work until they are told not to.
pub struct Faulty {
    inner: Arc<dyn Store>,
    faults: Mutex<HashMap<Operation, Fault>>,
    interruption: Mutex<Option<(Operation, Interruption)>>,
}

type Interruption = Box<dyn FnOnce() + Send>;

impl Faulty {
    /// In front of this store.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { inner, faults: Mutex::default(), interruption: Mutex::default() })
    }

    /// From now on these operations have this fault.
    ///
    /// # Panics
    ///
    /// If the lock is poisoned: another test has failed.
    pub fn break_down(&self, operations: &[Operation], fault: Fault) {
        let mut faults = self.faults.lock().expect("no test panics with it");
        faults.extend(operations.iter().map(|operation| (*operation, fault)));
    }

    /// From now on all work.
    ///
    /// # Panics
    ///
    /// If the lock is poisoned: another test has failed.
    pub fn mend(&self) {
        self.faults.lock().expect("no test panics with it").clear();
    }

    /// Does this once, right before the next such operation.
    ///
    /// # Panics
    ///
    /// If the lock is poisoned: another test has failed.
    pub fn interrupt(&self, operation: Operation, interruption: impl FnOnce() + Send + 'static) {
        let mut place = self.interruption.lock().expect("no test panics with it");
        *place = Some((operation, Box::new(interruption)));
    }

    fn faultily<'a, T: Send + 'a>(
        &self,
        operation: Operation,
        work: impl FnOnce() -> Pending<'a, T>,
    ) -> Pending<'a, T> {
        let due = {
            let mut place = self.interruption.lock().expect("no test panics with it");
            place.take_if(|(awaited, _)| *awaited == operation)
        };
        if let Some((_, interruption)) = due {
            interruption();
        }
        let fault = self.faults.lock().expect("no test panics with it").get(&operation).copied();
        match fault {
            None => work(),
            Some(Fault::Hangs) => Box::pin(pending()),
            Some(Fault::Fails) => Box::pin(async {
                Err(Error::new(ErrorKind::Unavailable, "serve", "the test broke it"))
            }),
        }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Faulty {
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

    fn trusted(&self) -> bool {
        self.inner.trusted()
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        self.faultily(Operation::Load, || self.inner.load(keys, scopes))
    }

    fn save<'a>(
        &'a self,
        key: &'a StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
    ) -> Pending<'a, bool> {
        self.faultily(Operation::Save, || self.inner.save(key, record, ttl, guard))
    }

    fn delete<'a>(&'a self, keys: &'a [StoredKey]) -> Pending<'a, usize> {
        self.faultily(Operation::Delete, || self.inner.delete(keys))
    }

    fn lease<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Pending<'a, Leasing> {
        self.faultily(Operation::Lease, || self.inner.lease(key, token, ttl, seen))
    }

    fn renew<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Pending<'a, bool> {
        self.faultily(Operation::Renew, || self.inner.renew(key, token, ttl))
    }

    fn release<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Pending<'a, bool> {
        self.faultily(Operation::Release, || self.inner.release(key, token, release))
    }

    fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()> {
        self.faultily(Operation::Changed, || self.inner.changed(key, lease, at_most))
    }

    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        self.faultily(Operation::Generations, || self.inner.generations(scopes))
    }

    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()> {
        self.faultily(Operation::Invalidate, || self.inner.invalidate(scopes, severity))
    }

    fn touch<'a>(&'a self, key: &'a StoredKey, seen: RecordId, life: Life) -> Pending<'a, bool> {
        self.faultily(Operation::Touch, || self.inner.touch(key, seen, life))
    }

    fn increment<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Pending<'a, Incremented> {
        self.faultily(Operation::Increment, || self.inner.increment(key, seen, by))
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Page> {
        self.faultily(Operation::Scan, || self.inner.scan(prefix, from, limit))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Pending<'a, usize> {
        self.faultily(Operation::Clear, || self.inner.clear(prefix))
    }
}
