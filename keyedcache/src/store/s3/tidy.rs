//! Deleting objects that have ended, a while after somebody came across them.
//!
//! Each is deleted only if it is still the one that was seen, so nothing newer is ever lost; and not
//! at once, since whoever found it missing is about to replace it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::client::ETag;
use super::inner::Inner;
use crate::runtime;
use crate::store::StoredKey;

/// After how long.
const LATER: Duration = Duration::from_secs(2);

/// How many are remembered at most; what else has ended, a sweep or a lifecycle rule finds.
const MOST: usize = 256;

impl Inner {
    /// Deletes the object of a key later, if it is still this one.
    pub(super) fn tidy_later(self: &Arc<Self>, key: &StoredKey, etag: ETag) {
        if self.tidying.fetch_add(1, Ordering::AcqRel) >= MOST {
            self.tidying.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        let (inner, key) = (Arc::downgrade(self), key.clone());
        runtime::background().spawn(async move {
            runtime::sleep(LATER).await;
            let Some(inner) = inner.upgrade() else { return };
            let _turn = inner.turns.take(&key).await;
            inner.memory.take(&key);
            let name = inner.names.of_key(&key);
            // What fails is found again by the next who reads it.
            let _ = inner.remove(&name, &etag, &mut inner.patience()).await;
            inner.tidying.fetch_sub(1, Ordering::AcqRel);
        });
    }
}
