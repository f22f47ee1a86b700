//! The Redis store against the conformance suite, on a cluster of three primaries and their replicas,
//! which all cases share.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::store::{OnFailover, RedisStore, RedisStoreBuilder, Store};
use keyedcache_conformance::{Harness, run_all};
use keyedcache_tests::redis::Cluster;

struct Whole {
    cluster: Cluster,
    /// What else is said of a store.
    with: fn(RedisStoreBuilder) -> RedisStoreBuilder,
}

impl Whole {
    fn open(&self) -> Arc<dyn Store> {
        let store = RedisStore::builder(&self.cluster.url())
            // Whatever else runs on the machine meanwhile.
            .timeout(Duration::from_secs(20))
            .connect_timeout(Duration::from_secs(10))
            .near_trust(Duration::from_secs(20));
        let store = (self.with)(store).build().expect("the URL is right");
        let start = Instant::now();
        while !store.trusted() {
            assert!(start.elapsed() < Duration::from_secs(20), "no connection: {store:?}");
            thread::sleep(Duration::from_millis(2));
        }
        Arc::new(store)
    }
}

impl Harness for Whole {
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
        let planted = [
            (["SET", "foreign", "mine"].as_slice(), ["GET", "foreign"].as_slice()),
            (&["RPUSH", "conformance-list", "mine"], &["LINDEX", "conformance-list", "0"]),
            (
                &["HSET", "{conformance-hash}:lease", "field", "mine"],
                &["HGET", "{conformance-hash}:lease", "field"],
            ),
        ];
        let at = |command: &[&str]| self.cluster.primary_of(command[1]).command(command);
        for (plant, _) in &planted {
            at(plant);
        }
        Some(Box::new(move || planted.iter().all(|(_, look)| at(look).text() == "mine")))
    }
}

fn every_case_holds(with: fn(RedisStoreBuilder) -> RedisStoreBuilder) {
    let cluster = Cluster::start();
    // What is slow on a busy machine is not dead.
    for server in cluster.servers() {
        server.command(&["CONFIG", "SET", "cluster-node-timeout", "15000"]);
    }
    run_all(&Whole { cluster, with }, 8);
}

#[test]
fn every_case_holds_on_three_primaries_and_their_replicas() {
    every_case_holds(|store| store);
}

#[test]
fn every_case_holds_where_replicas_are_read_from_and_a_failover_forgets_everything() {
    every_case_holds(|store| store.read_replicas(true).on_failover(OnFailover::Forget));
}
