//! What is dropped may ask caches and call cached functions, wherever it is dropped.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use keyedcache::{TimedOut, cache_get, cache_key, cache_set, cached};
use keyedcache_tests::child::{self, Child};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::{Place, alone, timed};
use keyedcache_tests::watchdog::{PATIENCE, wait_until, within};
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
    /// Keeps so many answers near that those given up are freed some dozens at a time.
    #[cached(cache = "d_near", timeout = 60, near = 300)]
    fn asks(x: u16) -> Asks {
        Asks(x.to_le_bytes()[0])
    }
    let _alone = alone();
    ASK.store(false, Ordering::Relaxed);
    Place::memory().register("d_other");
    within(PATIENCE, || {
        let _first = timed("d_near");
        for x in 0..308 {
            asks(x);
        }
        ask();
        let _second = timed("d_near");
        assert!(ASKED.runs() > 0, "what was given up is freed then");
    });
}

/// Calls when its thread has nothing left of what destructors have taken away.
struct CallsLast;

thread_local!(static LAST: CallsLast = const { CallsLast });

static HELD: Gate = Gate::new();
static LEASED: Gate = Gate::new();

#[cached(cache = "d_ends", timeout = 60)]
fn plain(x: u8) -> u8 {
    x
}

#[cached(cache = "d_ends", timeout = 60, hard_timeout = "1h")]
#[allow(clippy::unnecessary_wraps)] // that is where `TimedOut` comes
fn limited(x: u8) -> Result<u8, TimedOut> {
    Ok(x)
}

#[cached(cache = "d_ends", timeout = 60)]
fn held() -> usize {
    HELD.pass()
}

#[cached(cache = "d_ends", name = "d_leased", timeout = 60)]
fn leased() -> usize {
    LEASED.pass()
}

/// The same function as another process has it.
#[cached(cache = "d_ends_elsewhere", name = "d_leased", timeout = 60)]
fn leased_elsewhere() -> usize {
    LEASED.pass()
}

impl Drop for CallsLast {
    fn drop(&mut self) {
        assert_eq!([plain(1), plain(1), plain(2)], [1, 1, 2]);
        child::say("computed");
        assert_eq!([limited(1).unwrap(), limited(2).unwrap()], [1, 2]);
        child::say("computed on a thread of its own");
        assert_eq!((held(), leased()), (2, 2));
        child::say("computed beside others");
    }
}

#[test]
fn a_function_may_be_called_when_its_thread_is_about_to_end() {
    let Some(name) = child::role() else {
        for name in ["memory", "disk", "hesitant"] {
            let test = "a_function_may_be_called_when_its_thread_is_about_to_end";
            let child = Child::in_role_with(test, name, &[]);
            child.expect("computed");
            child.expect("computed on a thread of its own");
            child.expect("computed beside others");
            child.finish();
        }
        return;
    };
    let place = match &*name {
        "disk" => Place::disk(),
        "hesitant" => Place::memory().hesitant(),
        _ => Place::memory(),
    };
    place.register("d_ends");
    place.register("d_ends_elsewhere");
    HELD.close();
    LEASED.close();
    let leaders = [thread::spawn(held), thread::spawn(leased_elsewhere)];
    wait_until("they lead", || HELD.running() + LEASED.running() == 2);
    let ends = thread::spawn(|| {
        LAST.with(|_| ()); // before anything else, so that it is dropped after that
        plain(1) + limited(1).unwrap()
    });
    for gate in [&HELD, &LEASED] {
        wait_until("it is computed beside", || gate.running() == 2);
        gate.open();
    }
    assert_eq!(ends.join().unwrap(), 2);
    assert!(leaders.into_iter().all(|leader| leader.join().is_ok()));
}
