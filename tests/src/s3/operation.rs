//! Which operation a request asks for, and how many there were of each.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::Method;

/// An operation on objects, by its name in S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // S3's own names
pub enum Operation {
    Get,
    Put,
    Delete,
    DeleteMany,
    List,
    Other,
}

impl Operation {
    /// The one that a request of this method, path and query asks for.
    pub(super) fn of(method: &Method, path: &str, query: Option<&str>) -> Self {
        let is_object =
            path.trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
        let has = |word: &str| {
            query.is_some_and(|query| query.split('&').any(|part| part.starts_with(word)))
        };
        match *method {
            Method::GET if is_object => Self::Get,
            Method::GET if has("list-type") => Self::List,
            Method::PUT if is_object => Self::Put,
            Method::DELETE if is_object => Self::Delete,
            Method::POST if has("delete") => Self::DeleteMany,
            _ => Self::Other,
        }
    }
}

/// How many requests of each operation have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // S3's own names
pub struct Counts {
    pub get: u64,
    pub put: u64,
    pub delete: u64,
    pub delete_many: u64,
    pub list: u64,
    pub other: u64,
}

impl Counts {
    /// How many have come since these.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            get: self.get - earlier.get,
            put: self.put - earlier.put,
            delete: self.delete - earlier.delete,
            delete_many: self.delete_many - earlier.delete_many,
            list: self.list - earlier.list,
            other: self.other - earlier.other,
        }
    }

    /// All of them together.
    #[must_use]
    pub fn all(self) -> u64 {
        self.get + self.put + self.delete + self.delete_many + self.list + self.other
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; 6]);

impl Counters {
    pub(super) fn count(&self, operation: Operation) {
        self.0[operation as usize].fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn snapshot(&self) -> Counts {
        let of = |operation: Operation| self.0[operation as usize].load(Ordering::SeqCst);
        Counts {
            get: of(Operation::Get),
            put: of(Operation::Put),
            delete: of(Operation::Delete),
            delete_many: of(Operation::DeleteMany),
            list: of(Operation::List),
            other: of(Operation::Other),
        }
    }
}
