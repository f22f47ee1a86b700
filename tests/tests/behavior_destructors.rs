//! What is dropped may ask caches and call cached functions, wherever it is dropped.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};

use keyedcache::{cache_get, cache_key, cache_set, cached};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::{Place, alone, timed};
use keyedcache_tests::watchdog::{PATIENCE, within};
use serde::{Deserialize, Serialize};

/// A value whose copies, once that is wanted, ask when they are dropped.
#[derive(Clone, Serialize, Deserialize)]
struct Asks(u8);

static ASK: AtomicBool = AtomicBool::new(false);
static ASKED: Gate = Gate::new();

impl Drop for Asks {
    fn drop(&mut self) {
        if ASK.load(Ordering::Relaxed) {
            ASKED.pass();
            let _ = cache_get::<u8>(cache_key!("another")).wait();
            called_by_no_other(self.0);
        }
    }
}

#[cached(cache = "d_other", timeout = 60)]
fn called_by_no_other(x: u8) -> u8 {
    x
}

/// From now on they do.
fn ask() {
    ASKED.reset();
    ASK.store(true, Ordering::Relaxed);
}

#[test]
fn what_goes_with_a_replaced_cache_may_ask_for_caches() {
    let _alone = alone();
    ASK.store(false, Ordering::Relaxed);
    Place::memory().register("d_other");
    within(PATIENCE, || {
        Place::memory().register("default");
        cache_set(cache_key!("asks"), &Asks(1)).wait().unwrap();
        assert_eq!(cache_get::<Asks>(cache_key!("asks")).wait().unwrap().0, 1); // kept near
        ask();
        Place::memory().register("default");
        assert_eq!(ASKED.runs(), 1);
    });
}

#[test]
fn what_a_near_cache_gave_up_may_call_functions_when_a_cache_is_replaced() {
    /// Keeps one answer near.
    #[cached(cache = "d_near", timeout = 60, near = 1)]
    fn asks(x: u8) -> Asks {
        Asks(x)
    }
    let _alone = alone();
    ASK.store(false, Ordering::Relaxed);
    Place::memory().register("d_other");
    within(PATIENCE, || {
        let _first = timed("d_near");
        for x in 0..8 {
            asks(x);
        }
        ask();
        let _second = timed("d_near");
        assert!(ASKED.runs() > 0, "what was given up is freed then");
    });
}
