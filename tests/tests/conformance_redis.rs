//! The Redis store against the conformance suite, on one server.
//!
//! Each case has a server of its own, and two handles to it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keyedcache::store::{RedisStore, Store};
use keyedcache_conformance::Harness;
use keyedcache_tests::redis::Server;
use keyedcache_tests::watchdog::wait_until;

struct Redis(Server);

impl Redis {
    fn start() -> Self {
        Self(Server::start())
    }

    fn open(&self) -> Arc<dyn Store> {
        let store = RedisStore::builder(&self.0.url())
            // Many of these run at once on few processors.
            .timeout(Duration::from_secs(20))
            .connect_timeout(Duration::from_secs(10))
            .near_trust(Duration::from_secs(20))
            .build()
            .expect("the URL is right");
        wait_until("a connection", || store.trusted());
        Arc::new(store)
    }
}

impl Harness for Redis {
    fn store(&self) -> Arc<dyn Store> {
        self.open()
    }

    fn again(&self) -> Option<Arc<dyn Store>> {
        Some(self.open())
    }

    fn advance(&self, by: Duration) {
        thread::sleep(by);
    }

    fn pushes_travel(&self) -> bool {
        true
    }

    fn plant_foreign(&self) -> Option<Box<dyn FnOnce() -> bool + '_>> {
        self.0.command(&["SET", "foreign", "mine"]);
        self.0.command(&["RPUSH", "conformance-list", "mine"]);
        self.0.command(&["HSET", "{conformance-hash}:lease", "field", "mine"]);
        Some(Box::new(|| {
            self.0.command(&["GET", "foreign"]).text() == "mine"
                && self.0.command(&["LINDEX", "conformance-list", "0"]).text() == "mine"
                && self.0.command(&["HGET", "{conformance-hash}:lease", "field"]).text() == "mine"
        }))
    }
}

mod one_server {
    use super::Redis;

    keyedcache_conformance::suite!(Redis::start());
}
