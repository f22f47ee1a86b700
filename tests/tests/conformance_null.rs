//! The null store against the conformance suite: the cases of a store that keeps nothing.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keyedcache::store::{NullStore, Store};
use keyedcache_conformance::Harness;

struct Null;

impl Harness for Null {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(NullStore::new())
    }

    fn advance(&self, by: Duration) {
        thread::sleep(by);
    }
}

keyedcache_conformance::suite!(Null);
