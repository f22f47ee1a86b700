//! What the SDK names each of its calls by, to tell requests that were made anew from those sent once
//! more: two that are signed within one second may bear the same signature.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The header that has it.
pub(super) const NAME: &str = "amz-sdk-invocation-id";

#[derive(Debug, Default)]
pub(super) struct Invocations {
    seen: Mutex<HashSet<Vec<u8>>>,
    refuses_repeated: AtomicBool,
}

impl Invocations {
    pub(super) fn refuse_repeated(&self) {
        self.refuses_repeated.store(true, Ordering::SeqCst);
    }

    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Notes that a request bears this name; whether it may take place.
    pub(super) fn admit(&self, name: &[u8]) -> bool {
        let is_new = self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_vec());
        is_new || !self.refuses_repeated.load(Ordering::SeqCst)
    }
}
