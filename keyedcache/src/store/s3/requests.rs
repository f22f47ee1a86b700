//! How many requests were sent, by operation: they cost money.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Get,
    Put,
    Delete,
    DeleteMany,
    List,
}

/// Counters of one store.
#[derive(Debug, Default)]
pub(super) struct Requests([AtomicU64; 5]);

/// How many requests an [`S3Store`](super::S3Store) has sent since it was built, those that failed
/// and those sent again included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3Requests {
    /// `GetObject`.
    pub get: u64,
    /// `PutObject`.
    pub put: u64,
    /// `DeleteObject`.
    pub delete: u64,
    /// `DeleteObjects`, each of up to 1,000 objects.
    pub delete_many: u64,
    /// `ListObjectsV2`, each of up to 1,000 objects.
    pub list: u64,
}

impl Requests {
    pub(super) fn count(&self, operation: Operation) {
        self.0[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> S3Requests {
        let of = |operation: Operation| self.0[operation as usize].load(Ordering::Relaxed);
        S3Requests {
            get: of(Operation::Get),
            put: of(Operation::Put),
            delete: of(Operation::Delete),
            delete_many: of(Operation::DeleteMany),
            list: of(Operation::List),
        }
    }
}
