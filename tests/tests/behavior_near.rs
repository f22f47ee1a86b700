//! Whatever changes an answer is seen by the next call, near cache or not; and caches that are
//! switched off.

#![allow(clippy::unwrap_used, clippy::items_after_statements)] // the lock comes first

use std::hash::Hasher;
use std::sync::{Mutex, PoisonError};
use std::thread;

use keyedcache::key::KeyEncoder;
use keyedcache::{
    Cache, CacheTtl, KeyPart, NotCachedReason, cache_add, cache_clear, cache_contains,
    cache_delete, cache_delete_function, cache_enable, cache_enabled, cache_get, cache_increment,
    cache_key, cache_set, cache_ttl, cached,
};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::Place;
use keyedcache_tests::watchdog::wait_until;

/// Whoever registers a cache empties the near caches of all functions, so one test runs at a time.
fn alone() -> impl Drop {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls until the near cache answers: a change by another cache of this process may be pushed late
/// and drop an entry once, needlessly.
fn until_near(cache: &Cache, call: impl Fn()) {
    wait_until("the near cache answers", || {
        let before = cache.stats();
        call();
        let after = cache.stats();
        after.near_hits == before.near_hits + 1 && after.store_hits == before.store_hits
    });
}

static NEAR: Gate = Gate::new();

#[cached(cache = "t_near", name = "near", timeout = 60)]
fn near(x: u8) -> usize {
    assert!(x < 10);
    NEAR.pass()
}

/// The same function as another process has it.
#[cached(cache = "t_near_elsewhere", name = "near", timeout = 60)]
fn elsewhere(x: u8) -> usize {
    assert!(x < 10);
    NEAR.pass()
}

#[test]
fn whatever_changes_an_answer_is_seen_by_the_next_call() {
    let _alone = alone();
    /// What is done, and whether the next call has to compute.
    type Change = (&'static str, fn(&Cache), bool);
    let changes: [Change; 12] = [
        ("invalidate", |_| near::invalidate(1).wait().unwrap(), true),
        ("invalidate_all", |_| near::invalidate_all().wait().unwrap(), true),
        ("the macro", |_| cache_delete_function!(near(1)).wait().unwrap(), true),
        ("delete", |cache| assert!(cache.delete(near::key(1)).wait().unwrap() <= 2), true),
        (
            "delete with children",
            |cache| assert!(cache.delete(cache_key!("near")).children().wait().unwrap() <= 2),
            true,
        ),
        (
            "delete_many",
            |cache| assert!(cache.delete_many([near::key(1)]).wait().unwrap() <= 2),
            true,
        ),
        ("clear", |cache| assert!(cache.clear().wait().unwrap() <= 2), true),
        ("put", |_| near::put(1, 1_000).wait().unwrap(), false),
        ("refresh", |_| assert!(near::refresh(1).wait() > 0), false),
        (
            "a touch that ends it",
            |cache| assert!(cache.touch(near::key(1), 0_u64).wait().unwrap()),
            true,
        ),
        (
            "switching it off and on",
            |cache| {
                cache.enable(false);
                cache.enable(true);
            },
            false,
        ),
        ("another cache", |_| drop(Place::memory().register("t_near")), true),
    ];
    for place in [Place::memory(), Place::disk()] {
        for (what, change, computes) in &changes {
            // Once by this process, and once by another one.
            for by_another in [false, true] {
                let about = format!("{what} over {}, by another: {by_another}", place.name());
                let cache = place.register("t_near");
                let other = place.register("t_near_elsewhere");
                near(1);
                until_near(&cache, || assert!(near(1) > 0));
                let before = near(1);
                let runs = NEAR.runs();
                if by_another && *what != "another cache" && !what.starts_with("switching") {
                    match *what {
                        "invalidate" => elsewhere::invalidate(1).wait().unwrap(),
                        "invalidate_all" => elsewhere::invalidate_all().wait().unwrap(),
                        "the macro" => cache_delete_function!(elsewhere).wait().unwrap(),
                        "put" => elsewhere::put(1, 1_000).wait().unwrap(),
                        "refresh" => assert!(elsewhere::refresh(1).wait() > 0),
                        _ => change(&other),
                    }
                } else {
                    change(&cache);
                }
                let after = near(1);
                match *what {
                    "put" => assert_eq!(after, 1_000, "{about}"),
                    "switching it off and on" => assert_eq!(after, before, "{about}"),
                    _ => assert_eq!(after, runs + 1, "{about}"),
                }
                let computed = NEAR.runs() - runs - usize::from(*what == "refresh");
                assert_eq!(computed, usize::from(*computes), "{about}");
            }
        }
    }
}

#[test]
fn what_the_cache_that_replaces_another_holds_is_served() {
    let _alone = alone();
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_replaced", timeout = 60)]
    fn f() -> usize {
        GATE.pass()
    }
    let (first, second) = (Place::memory(), Place::memory());
    first.register("t_replaced");
    assert_eq!((f(), f()), (1, 1));
    second.register("t_replaced");
    assert_eq!((f(), f()), (2, 2));
    first.register("t_replaced");
    assert_eq!((f(), f()), (1, 1));
    // Without a near cache, too.
    second.cache().near(0).build().unwrap().register("t_replaced").unwrap();
    assert_eq!((f(), f()), (2, 2));
}

/// What happens once when the key of such an argument is written: when its function has found its
/// cache, and has not asked it.
static INTERRUPTION: Mutex<Option<fn()>> = Mutex::new(None);

struct Interrupting(u8);

impl KeyPart for Interrupting {
    type Identity = u8;

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        if let Some(interrupt) = INTERRUPTION.lock().unwrap().take() {
            interrupt();
        }
        self.0.encode(out);
    }
    fn identity(&self) -> u8 {
        self.0
    }
    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        self.0.hash_identity(state);
    }
    fn is_identity(&self, identity: &u8) -> bool {
        self.0.is_identity(identity)
    }
}

#[test]
fn what_a_cache_answers_that_is_being_replaced_is_not_kept_near_in_front_of_the_new_one() {
    let _alone = alone();
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_meanwhile", timeout = 60)]
    fn f(x: &Interrupting) -> usize {
        GATE.pass() + usize::from(x.0)
    }
    #[cached(cache = "t_meanwhile", local, timeout = 60)]
    fn local(x: &Interrupting) -> usize {
        GATE.pass() + usize::from(x.0)
    }
    for call in [f, local] {
        GATE.reset();
        Place::memory().register("t_meanwhile");
        *INTERRUPTION.lock().unwrap() = Some(|| drop(Place::memory().register("t_meanwhile")));
        assert_eq!(call(&Interrupting(0)), 1);
        assert!(INTERRUPTION.lock().unwrap().is_none());
        assert_eq!((call(&Interrupting(0)), call(&Interrupting(0))), (2, 2));
    }
}

static SWITCHED: Gate = Gate::new();

#[cached(cache = "t_switched", timeout = 60)]
fn switched(x: u8) -> usize {
    assert!(x < 10);
    SWITCHED.pass()
}

#[cached(cache = "t_switched", timeout = 60)]
async fn switched_async(x: u8) -> usize {
    assert!(x < 10);
    SWITCHED.pass_async().await
}

#[test]
fn a_disabled_cache_neither_reads_nor_saves_and_yet_forgets() {
    let _alone = alone();
    let forget: [fn(&Cache); 5] = [
        |_| switched::invalidate(1).wait().unwrap(),
        |_| switched::invalidate_all().wait().unwrap(),
        |cache| assert!(cache.delete(switched::key(1)).wait().unwrap() <= 2),
        |cache| assert!(cache.delete_many([switched::key(1)]).wait().unwrap() <= 2),
        |cache| assert!(cache.clear().wait().unwrap() <= 2),
    ];
    for place in [Place::memory(), Place::disk()] {
        for forget in forget {
            let cache = place.register("t_switched");
            cache.clear().wait().unwrap();
            SWITCHED.reset();
            assert_eq!((switched(1), switched(1)), (1, 1));
            cache.enable(false);
            assert!(!cache.is_enabled());
            assert_eq!((switched(1), switched(1)), (2, 3), "it computes");
            assert_eq!(switched::refresh(1).wait(), 4);
            switched::put(1, 1_000).wait().unwrap();
            assert_eq!(
                switched::peek(1).wait().unwrap_err().reason,
                NotCachedReason::Disabled,
                "{}",
                place.name()
            );
            cache.enable(true);
            assert_eq!(switched(1), 1, "what was there is there, and nothing newer");
            cache.enable(false);
            forget(&cache);
            cache.enable(true);
            assert_eq!((switched(1), switched(1)), (5, 5), "{}", place.name());
        }
    }
    // Both in one test, since they count in one place.
    for place in [Place::memory(), Place::disk()] {
        an_answer_that_was_begun_before_is_not_saved(&place);
    }
    while_disabled_nobody_waits();
}

fn an_answer_that_was_begun_before_is_not_saved(place: &Place) {
    let cache = place.register("t_switched");
    cache.clear().wait().unwrap();
    SWITCHED.reset();
    SWITCHED.close();
    let before = thread::spawn(|| switched(1));
    wait_until("it is at work", || SWITCHED.running() == 1);
    cache.enable(false);
    let meanwhile = thread::spawn(|| switched(1));
    wait_until("it computes by itself", || SWITCHED.running() == 2);
    SWITCHED.open();
    assert_eq!((before.join().unwrap(), meanwhile.join().unwrap()), (1, 2));
    cache.enable(true);
    assert_eq!(switched(1), 3, "{}", place.name());

    // Deleted while disabled: what was begun before comes too late, though it is enabled again.
    switched::invalidate(1).wait().unwrap();
    SWITCHED.reset();
    SWITCHED.close();
    let before = thread::spawn(|| switched(1));
    wait_until("it is at work", || SWITCHED.running() == 1);
    cache.enable(false);
    switched::invalidate(1).wait().unwrap();
    cache.enable(true);
    SWITCHED.open();
    assert_eq!(before.join().unwrap(), 1);
    assert_eq!((switched(1), switched(1)), (2, 2), "{}", place.name());
}

fn while_disabled_nobody_waits() {
    let cache = Place::memory().register("t_switched");
    cache.enable(false);
    SWITCHED.reset();
    SWITCHED.close();
    let sync = [0, 1, 2].map(|_| thread::spawn(|| switched(2)));
    let asynchronous =
        [0, 1, 2].map(|_| thread::spawn(|| keyedcache_tests::drive::block_on(switched_async(2))));
    wait_until("all compute side by side", || SWITCHED.running() == 6);
    SWITCHED.open();
    for caller in sync.into_iter().chain(asynchronous) {
        assert!(caller.join().unwrap() <= 6);
    }
}

/// The free functions all work on the default cache, which nothing else in this file does.
#[test]
fn the_default_cache_is_switched_off_by_free_functions() {
    let _alone = alone();
    static GATE: Gate = Gate::new();
    #[cached(timeout = 60)]
    fn f() -> usize {
        GATE.pass()
    }
    let key = || cache_key!("switched", 1);
    Place::memory().register("default");
    assert!(cache_enabled());
    assert_eq!(f(), 1);
    cache_set(key(), &7).wait().unwrap();
    cache_set(cache_key!("kept"), &8).wait().unwrap();
    cache_enable(false);
    assert!(!cache_enabled());
    assert_eq!((f(), f()), (2, 3));
    let missing = cache_get::<u8>(key()).wait().unwrap_err();
    assert_eq!(missing.reason, NotCachedReason::Disabled);
    assert!(!cache_contains(key()).wait());
    assert_eq!(cache_ttl(key()).wait().unwrap(), CacheTtl::NoKey);
    cache_set(cache_key!("set meanwhile"), &1).wait().unwrap();
    assert!(!cache_add(cache_key!("added meanwhile"), &1).wait().unwrap());
    assert!(cache_increment(cache_key!("counted"), 1).starting_at(0).wait().is_err());
    assert_eq!(cache_delete(key()).wait().unwrap(), 1, "deletes take effect");
    cache_enable(true);
    assert_eq!(f(), 1);
    for gone in [key(), cache_key!("set meanwhile"), cache_key!("added meanwhile")] {
        assert_eq!(cache_get::<u8>(gone).wait().unwrap_err().reason, NotCachedReason::Absent);
    }
    assert_eq!(cache_get::<u8>(cache_key!("kept")).wait().unwrap(), 8);
    cache_enable(false);
    cache_clear().wait().unwrap();
    cache_enable(true);
    assert_eq!(f(), 4);
    assert!(cache_get::<u8>(cache_key!("kept")).wait().is_err());
}
