//! Stores on a server, and a listener.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use keyedcache::record::{Scope, ScopeId};
use keyedcache::store::{
    HolderId, KeyDigest, RedisStore, RedisStoreBuilder, Sink, Store, StoredKey,
};
use keyedcache_tests::redis::Server;
use keyedcache_tests::watchdog::wait_until;

/// Settings for a machine on which much else is going on.
pub(crate) fn patient(url: &str) -> RedisStoreBuilder {
    RedisStore::builder(url).timeout(Duration::from_secs(8)).connect_timeout(Duration::from_secs(5))
}

/// A store that is connected.
pub(crate) fn open(url: &str) -> RedisStore {
    connected(patient(url))
}

pub(crate) fn connected(builder: RedisStoreBuilder) -> RedisStore {
    let store = builder.build().expect("the URL is right");
    wait_until("a connection", || store.trusted());
    store
}

/// A server and a store on it.
pub(crate) fn ground() -> (Server, RedisStore) {
    let server = Server::start();
    let store = open(&server.url());
    (server, store)
}

/// Remembers what it was told.
#[derive(Default)]
pub(crate) struct Listener {
    keys: Mutex<HashSet<KeyDigest>>,
    scopes: Mutex<HashSet<ScopeId>>,
    lost: AtomicUsize,
}

impl Listener {
    pub(crate) fn on(store: &RedisStore) -> Arc<Self> {
        let listener = Arc::new(Self::default());
        let weak = Arc::downgrade(&listener);
        store.subscribe(HolderId::random(), weak as Weak<dyn Sink>);
        listener
    }

    pub(crate) fn knows(&self, key: &StoredKey) -> bool {
        self.keys.lock().expect("no test panics inside").contains(&key.digest())
    }

    pub(crate) fn knows_scope(&self, scope: &Scope) -> bool {
        self.scopes.lock().expect("no test panics inside").contains(&scope.id())
    }

    pub(crate) fn losses(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

impl Sink for Listener {
    fn key_changed(&self, key: KeyDigest) {
        self.keys.lock().expect("no test panics inside").insert(key);
    }

    fn scope_changed(&self, scope: ScopeId) {
        self.scopes.lock().expect("no test panics inside").insert(scope);
    }

    fn lost(&self) {
        self.lost.fetch_add(1, Ordering::SeqCst);
    }
}
