//! Durations longer than any clock can tell.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keyedcache::store::{DiskStore, MemoryStore, Store};
use keyedcache::{Cache, CacheTtl, Timeout, cache_key, cached};
use keyedcache_tests::drive::block_on;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::watchdog::wait_until;

const LONGEST: Duration = Duration::MAX;

static GATE: Gate = Gate::new();

#[cached(cache = "longest", name = "longest", timeout = LONGEST, stale = LONGEST, stale_if_error = LONGEST)]
fn answer(x: u8) -> usize {
    GATE.pass() + usize::from(x)
}

/// The same in another process.
#[cached(cache = "longest_elsewhere", name = "longest", timeout = LONGEST, stale = LONGEST, stale_if_error = LONGEST)]
async fn elsewhere(x: u8) -> usize {
    GATE.pass_async().await + usize::from(x)
}

#[cached(cache = "longest", local, timeout = LONGEST)]
fn local(x: u8) -> usize {
    GATE.pass() + usize::from(x)
}

fn cache_on(store: &Arc<dyn Store>, alias: &str) -> Cache {
    let cache = Cache::builder()
        .store(Arc::clone(store))
        .timeout(LONGEST)
        .wait(LONGEST)
        .lease(LONGEST)
        .lease_max(LONGEST)
        .store_timeout(LONGEST)
        .build()
        .unwrap();
    cache.register(alias).unwrap();
    cache
}

#[test]
fn the_longest_duration_there_is_serves_for_every_setting() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn Store>; 2] =
        [Arc::new(MemoryStore::new()), Arc::new(DiskStore::open(folder.path()).unwrap())];
    for store in stores {
        println!("on {}", store.name());
        GATE.reset();
        let cache = cache_on(&store, "longest");
        cache_on(&store, "longest_elsewhere");
        let key = || cache_key!("a");

        // One leads, and others wait for it, here and elsewhere.
        GATE.close();
        let leader = thread::spawn(|| answer(0));
        wait_until("it is at work", || GATE.running() == 1);
        let follower = thread::spawn(|| answer(0));
        let waiting = thread::spawn(|| block_on(elsewhere(0)));
        let elsewhere_waits = || Cache::named("longest_elsewhere").unwrap().stats().waited == 1;
        wait_until("the other process waits", elsewhere_waits);
        GATE.open();
        for caller in [leader, follower, waiting] {
            assert_eq!(caller.join().unwrap(), 1);
        }
        assert_eq!((answer::refresh(0).wait(), answer(0)), (2, 2));
        assert_eq!((local(0), local(0)), (3, 3));

        let computing = || cache.get_or_set(key()).timeout(LONGEST).wait_at_most(LONGEST);
        assert_eq!(computing().compute(async || 7_u8).wait(), 7);
        assert_eq!(computing().compute(async || 8_u8).wait(), 7);
        cache.set(key(), &9).timeout(LONGEST).wait().unwrap();
        assert_eq!(cache.get::<u8>(key()).wait().ok(), Some(9));
        assert!(cache.touch(key(), Timeout::After(LONGEST)).wait().unwrap());
        assert_ne!(cache.ttl(key()).wait().unwrap(), CacheTtl::NoKey);
        assert_eq!(cache.increment(key(), 1).wait().unwrap(), 10);
    }
}
