//! A store whose every operation waits once before it takes place and once after.
//!
//! A caller that is dropped between the two has done what it never heard of, as on a network.

use std::sync::{Arc, Weak};
use std::time::Duration;

use keyedcache::record::{Generation, Life, Record, RecordId, Scope};
use keyedcache::store::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page, Pending,
    Release, Severity, Sink, Store, StoredKey, Ttl,
};
use keyedcache::{Error, Moment};

use crate::drive::hesitate;

/// A store in front of another one, which it asks hesitantly.
#[derive(Debug)]
pub struct Hesitant(Arc<dyn Store>);

impl Hesitant {
    /// In front of this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }
}

fn hesitantly<'a, T: Send + 'a>(pending: Pending<'a, T>) -> Pending<'a, T> {
    Box::pin(async move {
        hesitate().await;
        let answer: Result<T, Error> = pending.await;
        hesitate().await;
        answer
    })
}

#[deny(clippy::missing_trait_methods)]
impl Store for Hesitant {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn now(&self) -> Moment {
        self.0.now()
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        hesitantly(self.0.load(keys, scopes))
    }

    fn save<'a>(
        &'a self,
        key: &'a StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
    ) -> Pending<'a, bool> {
        hesitantly(self.0.save(key, record, ttl, guard))
    }

    fn delete<'a>(&'a self, keys: &'a [StoredKey]) -> Pending<'a, usize> {
        hesitantly(self.0.delete(keys))
    }

    fn lease<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Pending<'a, Leasing> {
        hesitantly(self.0.lease(key, token, ttl, seen))
    }

    fn renew<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Pending<'a, bool> {
        hesitantly(self.0.renew(key, token, ttl))
    }

    fn release<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Pending<'a, bool> {
        hesitantly(self.0.release(key, token, release))
    }

    fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()> {
        hesitantly(self.0.changed(key, lease, at_most))
    }

    fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        self.0.subscribe(holder, sink);
    }

    fn trusted(&self) -> bool {
        self.0.trusted()
    }

    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        hesitantly(self.0.generations(scopes))
    }

    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()> {
        hesitantly(self.0.invalidate(scopes, severity))
    }

    fn touch<'a>(&'a self, key: &'a StoredKey, seen: RecordId, life: Life) -> Pending<'a, bool> {
        hesitantly(self.0.touch(key, seen, life))
    }

    fn increment<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Pending<'a, Incremented> {
        hesitantly(self.0.increment(key, seen, by))
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Page> {
        hesitantly(self.0.scan(prefix, from, limit))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Pending<'a, usize> {
        hesitantly(self.0.clear(prefix))
    }
}
