//! Who follows a computation that is at work already, and what those who follow are handed: never
//! what began before something that had been acknowledged when they came.

#![allow(clippy::unwrap_used, clippy::unnecessary_wraps)]

use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use keyedcache::store::{MemoryStore, Store};
use keyedcache::{Cache, Clock, Moment, cached};
use keyedcache_tests::drive::Driven;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::hesitant::Hesitant;
use keyedcache_tests::place::Place;
use keyedcache_tests::watchdog::{PATIENCE, wait_until};

/// More polls than any wait of a hesitant store takes.
const ALL: usize = 100;

#[test]
fn who_comes_after_an_invalidation_is_not_handed_the_old_answer_that_stands_in_for_anothers_error()
{
    static GATE: Gate = Gate::new();
    #[cached(cache = "fl_error", timeout = 60, stale_if_error = 60)]
    async fn f() -> Result<usize, String> {
        let run = GATE.pass_async().await;
        if run == 1 { Ok(run) } else { Err(format!("run {run} fails")) }
    }
    let clock = Clock::manual(Moment::from_micros(1_000_000_000));
    let store = MemoryStore::builder().clock(clock.clone()).build().unwrap();
    let store: Arc<dyn Store> = Arc::new(Hesitant::new(Arc::new(store)));
    let cache = Cache::builder().store(store).clock(clock.clone()).build().unwrap();
    cache.register("fl_error").unwrap();
    assert_eq!(Driven::new(f()).finish_within(PATIENCE), Ok(1));
    clock.advance(Duration::from_mins(1));

    let mut leader = Driven::new(f());
    // Its reading has taken place, and it has not heard what was read.
    assert_eq!(leader.poll_times(2), Poll::Pending);
    Driven::new(f::invalidate_all().into_future()).finish_within(PATIENCE).unwrap();
    // It leads from here on, and waits for the lease.
    assert_eq!(leader.poll_times(1), Poll::Pending);
    let mut came_after = Driven::new(f());
    assert_eq!(came_after.poll_times(ALL), Poll::Pending, "it follows");
    assert_eq!(leader.finish_within(PATIENCE), Ok(1), "it came before the invalidation");
    assert_eq!(came_after.finish_within(PATIENCE), Err("run 3 fails".to_owned()));
    assert_eq!(cache.stats().computed_alone, 1, "it did follow");
}

#[test]
fn in_one_process_nobody_follows_what_began_before_another_one_deleted_the_key() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "fl_process", timeout = 60, single_flight = "process")]
    fn f() -> usize {
        GATE.pass()
    }
    for place in [Place::memory(), Place::disk()] {
        GATE.reset();
        place.register("fl_process");
        let elsewhere = place.cache().build().unwrap();
        GATE.close();
        let before = thread::spawn(f);
        wait_until("it is at work", || GATE.running() == 1);
        elsewhere.delete(f::key()).wait().unwrap();
        let after = thread::spawn(f);
        wait_until("who comes now computes anew", || GATE.running() == 2);
        GATE.open();
        assert_eq!((before.join().unwrap(), after.join().unwrap()), (1, 2), "{}", place.name());
        assert_eq!((f(), GATE.runs()), (2, 2), "the newer one is kept: {}", place.name());
    }
}

#[test]
fn beside_the_lease_of_another_process_nobody_follows_what_began_before_the_key_was_deleted() {
    static ELSEWHERE: Gate = Gate::new();
    static GATE: Gate = Gate::new();
    #[cached(cache = "fl_holder", name = "fl-beside", timeout = 60)]
    fn holder() -> usize {
        ELSEWHERE.pass() + 100
    }
    #[cached(cache = "fl_beside", name = "fl-beside", timeout = 60, single_flight = "process")]
    fn f() -> usize {
        GATE.pass()
    }
    for place in [Place::memory(), Place::disk()] {
        ELSEWHERE.reset();
        GATE.reset();
        let elsewhere = place.register("fl_holder");
        let cache = place.register("fl_beside");
        ELSEWHERE.close();
        GATE.close();
        let holding = thread::spawn(holder);
        wait_until("the lease is held elsewhere", || ELSEWHERE.running() == 1);
        let before = thread::spawn(f);
        wait_until("it is at work beside it", || GATE.running() == 1);
        elsewhere.delete(f::key()).wait().unwrap();
        let after = thread::spawn(f);
        wait_until("who comes now computes anew", || GATE.running() == 2);
        ELSEWHERE.open();
        assert_eq!(holding.join().unwrap(), 101);
        GATE.open();
        assert_eq!((before.join().unwrap(), after.join().unwrap()), (1, 2), "{}", place.name());
        assert_eq!((f(), GATE.runs()), (2, 2), "the newer one is kept: {}", place.name());
        assert_eq!(cache.stats().saved, 1);
    }
}

#[test]
fn in_one_process_those_who_come_while_the_lease_stands_follow() {
    static ELSEWHERE: Gate = Gate::new();
    static GATE: Gate = Gate::new();
    #[cached(cache = "fl_standing", name = "fl-standing", timeout = 60)]
    fn holder() -> usize {
        ELSEWHERE.pass() + 100
    }
    #[cached(cache = "fl_following", name = "fl-standing", timeout = 60, single_flight = "process")]
    async fn f() -> usize {
        GATE.pass_async().await
    }
    for place in [Place::memory(), Place::disk()] {
        ELSEWHERE.reset();
        GATE.reset();
        place.register("fl_standing");
        let cache = place.register("fl_following");
        ELSEWHERE.close();
        GATE.close();
        let holding = thread::spawn(holder);
        wait_until("the lease is held elsewhere", || ELSEWHERE.running() == 1);
        let mut callers = [0; 4].map(|_| Driven::new(f()));
        for caller in &mut callers {
            assert_eq!(caller.poll_times(ALL), Poll::Pending);
        }
        GATE.open();
        for caller in callers {
            assert_eq!(caller.finish_within(PATIENCE), 1, "{}", place.name());
        }
        assert_eq!((GATE.runs(), cache.stats().followed), (1, 3), "{}", place.name());
        ELSEWHERE.open();
        assert_eq!(holding.join().unwrap(), 101);
    }
}
