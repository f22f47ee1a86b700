//! `lease`: how long a holder that has died keeps others from taking over.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keyedcache::store::{HolderId, LeaseToken, Leasing, MemoryStore, Store as _, StoredKey};
use keyedcache::{Cache, Key, cached};
use keyedcache_tests::drive;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::watchdog::{PATIENCE, wait_until, within};

static GATE: Gate = Gate::new();

#[cached(cache = "o_lease", lease = "100s")]
fn with() -> usize {
    GATE.pass()
}

#[cached(cache = "o_lease")]
fn without() -> usize {
    GATE.pass()
}

/// For how long another process would be kept from this key; `None` if it is not.
pub(crate) fn held_for(store: &MemoryStore, key: &Key) -> Option<Duration> {
    let key = StoredKey::new(format!("keyedcache:1:{key}"));
    let token = LeaseToken::random(HolderId::random());
    match drive::wait(store.lease(&key, token, Duration::from_secs(1), None)) {
        Ok(Leasing::Held { remaining, .. }) => Some(remaining),
        _ => None,
    }
}

#[test]
fn others_are_kept_out_so_long() {
    within(PATIENCE, || {
        let store = Arc::new(MemoryStore::new());
        let cache = Cache::builder().store(store.clone()).build().expect("the defaults");
        cache.register("o_lease").expect("an alias");
        GATE.close();
        let callers = [thread::spawn(with), thread::spawn(without)];
        wait_until("both compute", || GATE.running() == 2);
        let seconds = |key: &Key| held_for(&store, key).map(|held| held.as_secs_f32().ceil());
        let held = (seconds(&with::key()), seconds(&without::key()));
        GATE.open();
        assert!(callers.into_iter().all(|caller| caller.join().is_ok()));
        assert!(matches!(held, (Some(90.0..=100.0), Some(5.0..=10.0))), "{held:?}");
        assert_eq!(cache.stats().saved, 2);
    });
}
