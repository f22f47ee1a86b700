//! What requests were signed with, to tell those that were signed anew from those sent once more.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Signatures {
    seen: Mutex<HashSet<Vec<u8>>>,
    refuses_repeated: AtomicBool,
}

impl Signatures {
    pub(super) fn refuse_repeated(&self) {
        self.refuses_repeated.store(true, Ordering::SeqCst);
    }

    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Notes the signature of a request; whether it may take place.
    pub(super) fn admit(&self, signature: &[u8]) -> bool {
        let is_new =
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(signature.to_vec());
        is_new || !self.refuses_repeated.load(Ordering::SeqCst)
    }
}
