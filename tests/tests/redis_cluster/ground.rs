//! A cluster, stores on it, and where in it things are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyedcache::record::{Generation, Scope, ScopeId};
use keyedcache::store::{
    HolderId, KeyDigest, RedisStore, RedisStoreBuilder, Sink, Store, StoredKey,
};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::{Cluster, Server};
use keyedcache_tests::stored::key;
use keyedcache_tests::watchdog::wait_until;

/// A cluster whose servers are not taken for dead only because they are slow, and a store on it that
/// is given time.
pub(crate) fn ground() -> (Cluster, RedisStore) {
    let (cluster, store) = failing_over();
    for server in cluster.servers() {
        server.command(&["CONFIG", "SET", "cluster-node-timeout", "15000"]);
    }
    (cluster, store)
}

/// The same, whose primaries are soon replaced.
pub(crate) fn failing_over() -> (Cluster, RedisStore) {
    let cluster = Cluster::start();
    let store = open(&cluster, Duration::from_secs(8));
    (cluster, store)
}

/// A store that is connected to all primaries.
pub(crate) fn open(cluster: &Cluster, timeout: Duration) -> RedisStore {
    opened(builder(cluster).timeout(timeout))
}

/// What is to be a store that is given time.
pub(crate) fn builder(cluster: &Cluster) -> RedisStoreBuilder {
    let builder = RedisStore::builder(&cluster.url()).timeout(Duration::from_secs(8));
    builder.connect_timeout(Duration::from_secs(5))
}

/// The store, connected to all primaries.
pub(crate) fn opened(builder: RedisStoreBuilder) -> RedisStore {
    let store = builder.build().expect("the URL is right");
    wait_until("trust", || store.trusted());
    store
}

/// A key that this server serves, one of many.
pub(crate) fn key_at(cluster: &Cluster, server: &Server, name: &str) -> StoredKey {
    let texts = (0..).map(|n| format!("a:1:{name}{n}"));
    let found = texts.into_iter().find(|text| cluster.primary_of(text).port() == server.port());
    key(&found.expect("slots are spread over all"))
}

/// What this scope bears, as a record under this key sees it.
pub(crate) fn borne(store: &RedisStore, key: &StoredKey, scope: &Scope) -> Option<Generation> {
    let scopes = store.scopes_for(key, std::slice::from_ref(scope));
    wait(store.load(std::slice::from_ref(key), &scopes)).expect("it answers").generations[0]
}

/// The same, made where there is none.
pub(crate) fn made(store: &RedisStore, key: &StoredKey, scope: &Scope) -> Generation {
    let scopes = store.scopes_for(key, std::slice::from_ref(scope));
    wait(store.generations(&scopes)).expect("it answers")[0]
}

/// Counts how often near caches were told that changes may have been missed.
#[derive(Default)]
pub(crate) struct Losses(AtomicUsize);

impl Losses {
    pub(crate) fn of(store: &RedisStore) -> Arc<Self> {
        let losses = Arc::new(Self::default());
        let weak = Arc::downgrade(&losses);
        store.subscribe(HolderId::random(), weak as Weak<dyn Sink>);
        losses
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Sink for Losses {
    fn key_changed(&self, _: KeyDigest) {}

    fn scope_changed(&self, _: ScopeId) {}

    fn lost(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
