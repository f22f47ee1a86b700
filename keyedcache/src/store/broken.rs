//! The store of a cache that was configured wrongly: every operation says what is wrong.

use std::sync::Weak;
use std::time::Duration;

use crate::clock::{Clock, Moment};
use crate::error::{Error, ErrorKind};
use crate::record::{Generation, Record, RecordId, Scope};

use super::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page, Pending,
    Release, Severity, Sink, Store, StoredKey, Ttl,
};
use crate::record::Life;

/// Fails with what was wrong when it was to be opened.
#[derive(Debug)]
pub(crate) struct BrokenStore {
    kind: ErrorKind,
    because: String,
}

impl BrokenStore {
    pub(crate) fn new(error: &Error) -> Self {
        Self { kind: error.kind(), because: error.to_string() }
    }

    fn fail<T: Send + 'static>(&self, operation: &'static str) -> Pending<'_, T> {
        let error = Error::new(self.kind, operation, self.because.clone());
        Box::pin(std::future::ready(Err(error)))
    }
}

impl Store for BrokenStore {
    fn name(&self) -> &'static str {
        "none"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    fn now(&self) -> Moment {
        Clock::system().now()
    }

    fn load<'a>(&'a self, _: &'a [StoredKey], _: &'a [Scope]) -> Pending<'a, Loaded> {
        self.fail("load")
    }

    fn save<'a>(
        &'a self,
        _: &'a StoredKey,
        _: Record,
        _: Ttl,
        _: Guard,
        _: &'a [Scope],
    ) -> Pending<'a, bool> {
        self.fail("save")
    }

    fn delete<'a>(&'a self, _: &'a [StoredKey]) -> Pending<'a, usize> {
        self.fail("delete")
    }

    fn lease<'a>(
        &'a self,
        _: &'a StoredKey,
        _: LeaseToken,
        _: Duration,
        _: Option<RecordId>,
    ) -> Pending<'a, Leasing> {
        self.fail("lease")
    }

    fn renew<'a>(&'a self, _: &'a StoredKey, _: LeaseToken, _: Duration) -> Pending<'a, bool> {
        self.fail("renew")
    }

    fn release<'a>(&'a self, _: &'a StoredKey, _: LeaseToken, _: Release) -> Pending<'a, bool> {
        self.fail("release")
    }

    fn changed<'a>(&'a self, _: &'a StoredKey, _: LeaseToken, _: Duration) -> Pending<'a, ()> {
        self.fail("wait")
    }

    fn subscribe(&self, _: HolderId, _: Weak<dyn Sink>) {}

    fn trusted(&self) -> bool {
        false
    }

    fn generations<'a>(&'a self, _: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        self.fail("read generations")
    }

    fn invalidate<'a>(&'a self, _: &'a [Scope], _: Severity) -> Pending<'a, ()> {
        self.fail("invalidate")
    }

    fn touch<'a>(
        &'a self,
        _: &'a StoredKey,
        _: RecordId,
        _: Life,
        _: &'a [Scope],
    ) -> Pending<'a, bool> {
        self.fail("touch")
    }

    fn increment<'a>(&'a self, _: &'a StoredKey, _: RecordId, _: i64) -> Pending<'a, Incremented> {
        self.fail("increment")
    }

    fn scan<'a>(&'a self, _: &'a str, _: Option<&'a str>, _: usize) -> Pending<'a, Page> {
        self.fail("scan")
    }

    fn clear<'a>(&'a self, _: &'a str) -> Pending<'a, usize> {
        self.fail("clear")
    }
}
