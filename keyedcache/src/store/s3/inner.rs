//! What every part of one store shares.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::OnceCell;

use super::client::Bucket;
use super::memory::Memory;
use super::name::Names;
use super::patience::Patience;
use super::reads::Reads;
use super::tokens::Tokens;
use super::turns::Turns;
use super::unheeded::OwnLeases;
use super::waiters::Waiters;
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::store::Pending;

/// The one of a store and of all that it does in the background.
pub(super) struct Inner {
    pub(super) bucket: Bucket,
    pub(super) names: Names,
    pub(super) memory: Memory,
    pub(super) turns: Turns,
    pub(super) reads: Reads,
    pub(super) tokens: Tokens,
    pub(super) waiters: Waiters,
    /// Whether the server heeds preconditions, once that is known.
    pub(super) heeds: OnceCell<bool>,
    pub(super) own: OwnLeases,
    /// Which of the [ways to delete many](super::sweep::WAYS) the server is known to take.
    pub(super) deletes_by: AtomicUsize,
    /// How many ended objects are about to be deleted.
    pub(super) tidying: AtomicUsize,
}

impl Inner {
    pub(super) fn new(bucket: Bucket, names: Names) -> Self {
        Self {
            tokens: Tokens::new(bucket.settings.remember_generations),
            bucket,
            names,
            memory: Memory::default(),
            turns: Turns::default(),
            reads: Reads::default(),
            waiters: Waiters::default(),
            heeds: OnceCell::new(),
            own: OwnLeases::default(),
            deletes_by: AtomicUsize::new(0),
            tidying: AtomicUsize::new(0),
        }
    }

    pub(super) fn patience(&self) -> Patience {
        Patience::of(self.bucket.settings.operation_timeout)
    }

    pub(super) fn error(
        &self,
        kind: ErrorKind,
        operation: &'static str,
        what: &'static str,
    ) -> Error {
        Error::new(kind, operation, what).with("store", &self.bucket.settings.name)
    }

    pub(super) fn unknown(&self, what: &'static str) -> Error {
        self.error(ErrorKind::OutcomeUnknown, "save", what)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store").field("settings", &self.bucket.settings).finish_non_exhaustive()
    }
}

/// Runs a whole operation on the background runtime: its connections outlive the caller's runtime,
/// and a caller that goes away leaves it to come to its end.
pub(super) fn operation<'a, T, F, W>(inner: &'a Arc<Inner>, work: F) -> Pending<'a, T>
where
    T: Send + 'static,
    W: Future<Output = Result<T, Error>> + Send + 'static,
    F: FnOnce(Arc<Inner>) -> W + Send + 'a,
{
    Box::pin(async move {
        let done = runtime::background().spawn(work(Arc::clone(inner))).await;
        done.unwrap_or_else(|_| {
            Err(inner.error(ErrorKind::OutcomeUnknown, "ask the server", "the request broke off"))
        })
    })
}
