//! `lease_max`: how long a lease is renewed while the body runs.

use std::sync::Arc;
use std::thread;

use keyedcache::store::MemoryStore;
use keyedcache::{Cache, cached};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::watchdog::{PATIENCE, wait_until, within};

use crate::lease::held_for;

static GATE: Gate = Gate::new();

#[cached(cache = "o_lease_max", lease = "200ms", lease_max = "400ms")]
fn with() -> usize {
    GATE.pass()
}

#[cached(cache = "o_lease_max", lease = "2s")]
fn without() -> usize {
    GATE.pass()
}

#[test]
fn past_it_another_takes_over_and_the_late_answer_is_refused() {
    within(PATIENCE, || {
        let store = Arc::new(MemoryStore::new());
        let cache = Cache::builder().store(store.clone()).build().expect("the defaults");
        cache.register("o_lease_max").expect("an alias");
        GATE.close();
        let callers = [thread::spawn(with), thread::spawn(without)];
        wait_until("both compute", || GATE.running() == 2);
        wait_until("the lease has ended", || held_for(&store, &with::key()).is_none());
        assert!(held_for(&store, &without::key()).is_some(), "this one is renewed for 10 minutes");
        GATE.open();
        assert!(callers.into_iter().all(|caller| caller.join().is_ok()));
        assert_eq!((cache.stats().refused, cache.stats().saved), (1, 1));
    });
}
