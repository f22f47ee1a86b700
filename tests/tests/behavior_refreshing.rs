//! Refreshes in the background: wherever they run, or do not, they keep nobody waiting.

#![allow(clippy::unused_async)]

use std::thread;
use std::time::{Duration, Instant};

use keyedcache::{Cache, Clock, cache_key, cached};
use keyedcache_tests::drive::{Driven, block_on};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;
use keyedcache_tests::watchdog::{PATIENCE, wait_until, within};
use tokio::runtime::{Builder, Handle};

/// What computes alone, and does not wait for what does not go on meanwhile, is done by then.
const AT_ONCE: Duration = Duration::from_secs(2);

const MINUTE: Duration = Duration::from_mins(1);

/// Runs a test that could hang, with the clock of its cache.
fn watched(alias: &'static str, test: fn(&Clock)) {
    within(PATIENCE, move || test(&timed(alias).1));
}

#[test]
fn a_background_refresh_in_a_runtime_that_ends_leaves_the_next_caller_free() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "r_ends", timeout = 60, stale = 60)]
    async fn f() -> usize {
        GATE.pass_async().await
    }
    watched("r_ends", |clock| {
        assert_eq!(block_on(f()), 1);
        clock.advance(MINUTE);
        GATE.close();
        block_on(async {
            assert_eq!(f().await, 1, "the old one is served");
            while GATE.running() == 0 {
                tokio::task::yield_now().await;
            }
            // The runtime ends here, and the refresh with it.
        });
        GATE.open();
        clock.advance(MINUTE);
        let came = Instant::now();
        assert_eq!(block_on(f()), 3);
        assert!(came.elapsed() < AT_ONCE);
    });
}

#[test]
fn a_background_refresh_in_a_runtime_that_idles_keeps_nobody_waiting() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "r_idles", timeout = 60, stale = 60)]
    async fn f() -> usize {
        GATE.pass_async().await
    }
    watched("r_idles", |clock| {
        let idle = Builder::new_current_thread().enable_all().build().expect("a runtime");
        assert_eq!(idle.block_on(f()), 1);
        clock.advance(MINUTE);
        assert_eq!(idle.block_on(f()), 1, "the old one is served");
        assert_eq!(GATE.runs(), 1, "nobody has polled the refresh");
        clock.advance(MINUTE);
        let came = Instant::now();
        assert_eq!(block_on(f()), 2);
        assert!(came.elapsed() < AT_ONCE);
        // And when it is polled at last there is nothing left to refresh.
        idle.block_on(async {
            while Handle::current().metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        });
        assert_eq!((block_on(f()), GATE.runs()), (2, 2));
    });
}

#[test]
fn a_background_refresh_without_a_runtime_leaves_the_timers_their_thread() {
    static GATE: Gate = Gate::new();
    static HELD: Gate = Gate::new();
    /// Blocks the thread that polls it, and says which that was.
    #[cached(cache = "r_without", timeout = 60, stale = 60)]
    #[allow(clippy::unused_async)] // it is a body that blocks
    async fn f() -> (usize, Option<String>) {
        (GATE.pass(), thread::current().name().map(str::to_owned))
    }
    watched("r_without", |clock| {
        assert_eq!(Driven::new(f()).finish_within(AT_ONCE).0, 1);
        clock.advance(MINUTE);
        GATE.close();
        assert_eq!(Driven::new(f()).finish_within(AT_ONCE).0, 1, "the old one is served");
        wait_until("it is refreshed", || GATE.running() == 1);

        // Whoever waits for another one meanwhile does so until its time is up.
        let cache = Cache::builder().build().expect("the defaults");
        let compute = move || cache.get_or_set(cache_key!("report", 7));
        HELD.close();
        let leading = compute.clone();
        let leader = thread::spawn(move || leading().compute(async || HELD.pass()).wait());
        wait_until("the leader is at work", || HELD.running() == 1);
        let waiting = compute().wait_at_most(Duration::from_millis(20));
        assert_eq!(waiting.compute(async || 7).wait(), 7);
        HELD.open();
        assert_eq!(leader.join().expect("no panic"), 1);

        GATE.open();
        wait_until("the refresh is saved", || f::peek().wait().is_ok());
        let (run, thread) = Driven::new(f()).finish_within(AT_ONCE);
        assert_eq!(run, 2);
        assert_ne!(thread.as_deref(), Some("keyedcache"));
    });
}

#[test]
fn a_refresh_within_a_refresh_without_a_runtime_leaves_the_timers_their_thread() {
    static OUTER: Gate = Gate::new();
    static INNER: Gate = Gate::new();
    #[cached(cache = "r_within", timeout = 60, stale = 60)]
    async fn outer() -> usize {
        let run = OUTER.pass();
        inner().await;
        run
    }
    /// Says which thread polls it.
    #[cached(cache = "r_within", timeout = 60, stale = 60)]
    async fn inner() -> (usize, Option<String>) {
        (INNER.pass(), thread::current().name().map(str::to_owned))
    }
    watched("r_within", |clock| {
        assert_eq!(Driven::new(outer()).finish_within(AT_ONCE), 1);
        clock.advance(MINUTE);
        assert_eq!(Driven::new(outer()).finish_within(AT_ONCE), 1, "the old one is served");
        wait_until("both are refreshed", || inner::peek().wait().is_ok_and(|(run, _)| run == 2));
        let (_, thread) = Driven::new(inner()).finish_within(AT_ONCE);
        assert_ne!(thread.as_deref(), Some("keyedcache"));
    });
}
