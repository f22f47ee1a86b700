//! A sink that remembers what it was told.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use keyedcache::record::{Scope, ScopeId};
use keyedcache::store::{HolderId, KeyDigest, Sink, StoredKey};

use crate::Handle;

#[derive(Debug, Default)]
pub(crate) struct Listener {
    keys: Mutex<HashSet<KeyDigest>>,
    scopes: Mutex<HashSet<ScopeId>>,
    lost: AtomicBool,
}

impl Listener {
    /// One of a new holder that hears what `handle` tells.
    pub(crate) fn on(handle: &Handle) -> Arc<Self> {
        Self::of(handle, HolderId::random())
    }

    pub(crate) fn of(handle: &Handle, holder: HolderId) -> Arc<Self> {
        let listener = Arc::new(Self::default());
        let weak = Arc::downgrade(&listener);
        handle.subscribe(holder, weak);
        handle.catch_up();
        listener
    }

    /// Whether the change of this key is known, if only because everything may have changed.
    pub(crate) fn knows(&self, key: &StoredKey) -> bool {
        self.lost.load(Ordering::SeqCst) || self.heard(key)
    }

    /// Whether it was told of this very key.
    pub(crate) fn heard(&self, key: &StoredKey) -> bool {
        self.keys.lock().expect("no case panics inside").contains(&key.digest())
    }

    pub(crate) fn knows_scope(&self, scope: &Scope) -> bool {
        self.lost.load(Ordering::SeqCst)
            || self.scopes.lock().expect("no case panics inside").contains(&scope.id())
    }

    /// Forgets what it was told up to now.
    pub(crate) fn forget(&self) {
        self.keys.lock().expect("no case panics inside").clear();
        self.scopes.lock().expect("no case panics inside").clear();
        self.lost.store(false, Ordering::SeqCst);
    }
}

impl Sink for Listener {
    fn key_changed(&self, key: KeyDigest) {
        self.keys.lock().expect("no case panics inside").insert(key);
    }

    fn scope_changed(&self, scope: ScopeId) {
        self.scopes.lock().expect("no case panics inside").insert(scope);
    }

    fn lost(&self) {
        self.lost.store(true, Ordering::SeqCst);
    }
}
