//! A store whose every operation waits once before it takes place and once after.
//!
//! A caller that is dropped between the two has done what it never heard of, as on a network.

use std::sync::Arc;

use keyedcache::store::{Pending, Store};

use crate::drive::hesitate;
use crate::front::{Front, Manner, Operation};

/// A store in front of another one, which it asks hesitantly.
pub type Hesitant = Front<Hesitation>;

/// Waits, and is woken at once, before and after every operation.
#[derive(Clone, Copy, Debug)]
pub struct Hesitation;

impl Hesitant {
    /// In front of this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::of(store, Hesitation)
    }
}

impl Manner for Hesitation {
    fn perform<'a, T: Send + 'a>(
        &self,
        _: Operation,
        work: impl FnOnce() -> Pending<'a, T>,
    ) -> Pending<'a, T> {
        let pending = work();
        Box::pin(async move {
            hesitate().await;
            let answer = pending.await;
            hesitate().await;
            answer
        })
    }
}
