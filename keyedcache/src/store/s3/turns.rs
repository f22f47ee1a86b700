//! Turns at a key: this process's writers of one key go one after another, and leave contests to
//! those of other processes.
//!
//! So a lease whose caller has gone is given back after the request that may have got it, not before.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::store::StoredKey;

#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<StoredKey, Weak<Turn<()>>>>);

impl Turns {
    /// Waits for this key's turn, which lasts as long as what is returned.
    pub(super) async fn take(&self, key: &StoredKey) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock();
            if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
                turn
            } else {
                let turn = Arc::default();
                if turns.len() >= 2 * turns.capacity().max(32) / 3 {
                    turns.retain(|_, turn| turn.strong_count() > 0);
                }
                turns.insert(key.clone(), Arc::downgrade(&turn));
                turn
            }
        };
        turn.lock_owned().await
    }
}
