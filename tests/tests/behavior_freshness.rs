//! How long answers are served, and by whom they are renewed. Time is moved by hand.

#![allow(clippy::unnecessary_wraps, clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use keyedcache::store::{MemoryStore, Store};
use keyedcache::{Cache, CacheTtl, Clock, Moment, NotCachedReason, Timeout, cached};
use keyedcache_tests::drive::block_on;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::{Place, timed};
use keyedcache_tests::watchdog::wait_until;

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

/// A cache in memory under this alias, and its clock.
fn clock_of(alias: &str) -> Clock {
    timed(alias).1
}

#[test]
fn an_answer_is_fresh_for_its_timeout_and_not_a_moment_longer() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_timeout", timeout = 60)]
    fn f() -> usize {
        GATE.pass()
    }
    let clock = clock_of("t_timeout");
    assert_eq!(f(), 1);
    clock.advance(MINUTE.checked_sub(SECOND / 1000).unwrap());
    assert_eq!(f(), 1);
    clock.advance(SECOND / 1000);
    assert_eq!(f::peek().wait().unwrap_err().reason, NotCachedReason::Absent);
    assert_eq!(f(), 2);
}

#[test]
fn a_function_without_a_timeout_has_that_of_its_cache() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_default")]
    fn f() -> usize {
        GATE.pass()
    }
    let (_, clock) = timed("t_default");
    assert_eq!(f(), 1);
    clock.advance((5 * MINUTE).checked_sub(SECOND).unwrap());
    assert_eq!(f(), 1, "five minutes, where nothing is said");
    let cache = Cache::builder().clock(clock.clone()).timeout(Duration::from_secs(7));
    cache.build().unwrap().register("t_default").unwrap();
    assert_eq!(f(), 2);
    clock.advance(6 * SECOND);
    assert_eq!(f(), 2);
    clock.advance(SECOND);
    assert_eq!(f(), 3);
}

#[test]
fn an_answer_for_ever_is_fresh_for_ever() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_never", timeout = Never)]
    fn f() -> usize {
        GATE.pass()
    }
    let (cache, clock) = timed("t_never");
    assert_eq!(f(), 1);
    clock.advance(Duration::from_hours(24 * 365 * 300));
    assert_eq!(f(), 1);
    assert_eq!(cache.ttl(f::key()).wait().unwrap(), CacheTtl::NoExpiry);
}

#[test]
fn an_answer_without_time_is_not_stored() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_zero", timeout = Timeout::After(Duration::ZERO))]
    fn f() -> usize {
        GATE.pass()
    }
    let (cache, _clock) = timed("t_zero");
    assert_eq!((f(), f()), (1, 2));
    f::put(7).wait().unwrap();
    assert_eq!(f(), 3);
    assert!(!cache.contains(f::key()).wait());
    assert_eq!(cache.stats().saved, 0);
}

#[test]
fn a_stale_answer_is_served_at_once_while_exactly_one_refresh_runs() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_stale", timeout = 60, stale = 60)]
    fn f() -> usize {
        GATE.pass()
    }
    let clock = clock_of("t_stale");
    assert_eq!(f(), 1);
    clock.advance(MINUTE);
    GATE.close();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(f(), 1, "the refresh stands at the gate"));
        }
    });
    wait_until("the refresh runs", || GATE.running() == 1);
    assert_eq!(f(), 1);
    assert_eq!(GATE.runs(), 2);
    GATE.open();
    wait_until("the refresh is saved", || f() == 2);
    assert_eq!(GATE.runs(), 2);
}

#[test]
fn a_stale_answer_of_an_async_function_is_served_at_once_while_exactly_one_refresh_runs() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_stale_async", timeout = 60, stale = 60)]
    async fn f() -> usize {
        GATE.pass_async().await
    }
    let clock = clock_of("t_stale_async");
    block_on(async {
        assert_eq!(f().await, 1);
        clock.advance(MINUTE);
        GATE.close();
        for caller in [0; 20].map(|_| tokio::spawn(f())) {
            assert_eq!(caller.await.unwrap(), 1, "the refresh stands at the gate");
        }
        while GATE.running() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(f().await, 1);
        assert_eq!(GATE.runs(), 2);
        GATE.open();
        while f().await == 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!((f().await, GATE.runs()), (2, 2));
    });
}

#[test]
fn of_two_processes_one_refreshes_what_is_stale() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_stale_one", name = "t-stale-two", timeout = 60, stale = 60)]
    fn one() -> usize {
        GATE.pass()
    }
    #[cached(cache = "t_stale_other", name = "t-stale-two", timeout = 60, stale = 60)]
    fn other() -> usize {
        GATE.pass()
    }
    let place = Place::memory();
    place.register("t_stale_one");
    place.register("t_stale_other");
    assert_eq!((one(), other()), (1, 1));
    // Its timeout is over, and a minute of being stale is left.
    let cache = Cache::named("t_stale_one").unwrap();
    assert!(cache.touch(one::key(), Duration::from_millis(1)).wait().unwrap());
    thread::sleep(Duration::from_millis(2)); // this store keeps real time
    GATE.close();
    assert_eq!((one(), other()), (1, 1));
    wait_until("the refresh runs", || GATE.running() == 1);
    assert_eq!((one(), other()), (1, 1));
    assert_eq!(GATE.runs(), 2);
    GATE.open();
    wait_until("the refresh is saved", || one() == 2 && other() == 2);
    assert_eq!(GATE.runs(), 2);
}

#[test]
fn with_a_foreground_refresh_one_caller_refreshes_and_the_others_are_served() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_foreground", timeout = 60, stale = 60, refresh = "foreground")]
    fn f() -> usize {
        GATE.pass()
    }
    #[cached(cache = "t_foreground", timeout = 60, stale = 60, refresh = "foreground")]
    async fn f_async() -> usize {
        GATE.pass_async().await
    }
    let clock = clock_of("t_foreground");
    assert_eq!(f(), 1);
    assert_eq!(block_on(f_async()), 2);
    clock.advance(MINUTE);
    GATE.close();
    let refreshing = thread::spawn(f);
    let refreshing_async = thread::spawn(|| block_on(f_async()));
    wait_until("both refresh", || GATE.running() == 2);
    assert_eq!((f(), f()), (1, 1));
    assert_eq!((block_on(f_async()), block_on(f_async())), (2, 2));
    GATE.open();
    let (one, other) = (refreshing.join().unwrap(), refreshing_async.join().unwrap());
    assert_eq!(one + other, 3 + 4, "they answer what they computed");
    assert_eq!((f(), block_on(f_async())), (one, other));
    assert_eq!(GATE.runs(), 4);
}

#[test]
fn what_has_been_stale_for_too_long_is_computed() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_stale_over", timeout = 60, stale = 60)]
    fn f() -> usize {
        GATE.pass()
    }
    let clock = clock_of("t_stale_over");
    assert_eq!(f(), 1);
    clock.advance(2 * MINUTE);
    assert_eq!(f(), 2);
}

#[test]
fn a_stale_answer_outlives_a_refresh_that_fails_or_panics() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_stale_fails", timeout = 60, stale = 60)]
    fn f() -> Result<usize, String> {
        match GATE.pass() {
            2 => Err("the first refresh fails".to_owned()),
            3 => panic!("the second refresh panics, as it should"),
            run => Ok(run),
        }
    }
    let clock = clock_of("t_stale_fails");
    assert_eq!(f(), Ok(1));
    clock.advance(MINUTE);
    // Each call starts a refresh if none runs.
    wait_until("a refresh does well", || match f() {
        Ok(1) => false,
        Ok(4) => true,
        other => panic!("{other:?}"),
    });
    assert_eq!(GATE.runs(), 4);
}

#[test]
fn an_old_answer_stands_in_for_one_that_fails() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_error", timeout = 60, stale_if_error = 60, timeout_err = 600)]
    fn f() -> Result<usize, String> {
        let run = GATE.pass();
        if FAILS.load(Ordering::Relaxed) { Err(format!("run {run} fails")) } else { Ok(run) }
    }
    let clock = clock_of("t_error");
    assert_eq!(f(), Ok(1));
    FAILS.store(true, Ordering::Relaxed);
    clock.advance(MINUTE);
    assert_eq!(f(), Ok(1));
    assert_eq!(f(), Ok(1));
    assert_eq!(GATE.runs(), 3, "it is tried each time; the error is not stored in its place");
    clock.advance(MINUTE);
    assert_eq!(f(), Err("run 4 fails".to_owned()), "the old answer is too old");
    assert_eq!(f(), Err("run 4 fails".to_owned()), "and the error is cached");
    FAILS.store(false, Ordering::Relaxed);
    f::invalidate().wait().unwrap();
    assert_eq!(f(), Ok(5));
    FAILS.store(true, Ordering::Relaxed);
    f::invalidate_all().wait().unwrap();
    assert_eq!(f(), Err("run 6 fails".to_owned()), "what was invalidated stands in for nothing");
}

#[test]
fn an_old_answer_stands_in_for_one_that_fails_while_another_process_has_the_lease() {
    static GATE: Gate = Gate::new();
    #[cached(
        cache = "t_error_process",
        name = "t-error-process",
        timeout = 60,
        stale_if_error = 60,
        single_flight = "process"
    )]
    fn f() -> Result<usize, String> {
        Err("it fails".to_owned())
    }
    #[cached(
        cache = "t_error_elsewhere",
        name = "t-error-process",
        timeout = 60,
        stale_if_error = 60
    )]
    fn elsewhere() -> Result<usize, String> {
        Ok(GATE.pass())
    }
    let clock = Clock::manual(Moment::from_micros(1_000_000_000));
    let store: Arc<dyn Store> =
        Arc::new(MemoryStore::builder().clock(clock.clone()).build().unwrap());
    for alias in ["t_error_process", "t_error_elsewhere"] {
        let cache = Cache::builder().store(Arc::clone(&store)).clock(clock.clone());
        cache.build().unwrap().register(alias).unwrap();
    }
    assert_eq!(elsewhere(), Ok(1));
    clock.advance(MINUTE);
    GATE.close();
    let holder = thread::spawn(elsewhere);
    wait_until("the lease is held", || GATE.running() == 1);
    assert_eq!(f(), Ok(1));
    GATE.open();
    assert_eq!(holder.join().unwrap(), Ok(2));
    assert_eq!(f(), Ok(2));
}

#[test]
fn those_who_wait_for_one_that_fails_get_the_old_answer_too() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_error_followed", timeout = 60, stale_if_error = 60)]
    async fn f() -> Result<usize, String> {
        let run = GATE.pass_async().await;
        if run == 1 { Ok(run) } else { Err(format!("run {run} fails")) }
    }
    let clock = clock_of("t_error_followed");
    block_on(async {
        assert_eq!(f().await, Ok(1));
        clock.advance(MINUTE);
        GATE.close();
        let callers = [0; 5].map(|_| tokio::spawn(f()));
        while GATE.running() == 0 {
            tokio::task::yield_now().await;
        }
        GATE.open();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), Ok(1));
        }
    });
    assert_eq!(GATE.runs(), 2);
}

#[test]
fn an_answer_is_refreshed_early_by_what_it_cost() {
    static GATE: Gate = Gate::new();
    // The most eager and the least eager that there are; neither is left to chance.
    #[cached(cache = "t_early", timeout = 60, early = 1_000_000_000_000.0)]
    fn eager() -> usize {
        GATE.work(Duration::from_millis(1))
    }
    #[cached(cache = "t_early", timeout = 60, early = 0.000_000_001)]
    fn calm() -> usize {
        GATE.work(Duration::from_millis(1))
    }
    let clock = clock_of("t_early");
    assert_eq!(calm(), 1);
    assert_eq!(eager(), 2);
    assert_eq!(eager(), 2, "what is there is served");
    wait_until("it is refreshed", || eager() > 2);
    clock.advance(MINUTE.checked_sub(SECOND).unwrap());
    assert_eq!(calm(), 1);
    assert_eq!(calm(), 1);
}

#[test]
fn jitter_takes_up_to_its_part_off_a_timeout() {
    #[cached(cache = "t_jitter", timeout = 100, jitter = 0.5)]
    fn f(x: u64) -> u64 {
        x
    }
    let (cache, _clock) = timed("t_jitter");
    let left = |x| match cache.ttl(f::key(f(x))).wait().unwrap() {
        CacheTtl::Left(left) => left.as_secs_f64(),
        other => panic!("{other:?}"),
    };
    let all: Vec<_> = (0..200).map(left).collect();
    assert!(all.iter().all(|left| (50.0..=100.0).contains(left)), "{all:?}");
    // Of 200, some fall in each tenth but for one case in ten million.
    for tenth in [50.0, 60.0, 70.0, 80.0, 90.0] {
        assert!(all.iter().any(|left| (tenth..tenth + 10.0).contains(left)), "none in {tenth}");
    }
}

#[test]
fn an_error_is_cached_only_with_a_timeout_of_its_own() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_err", timeout = 60, timeout_err = 5)]
    fn cached_error(fail: bool) -> Result<usize, String> {
        let run = GATE.pass();
        if fail { Err(run.to_string()) } else { Ok(run) }
    }
    #[cached(cache = "t_err", timeout = 60)]
    fn plain_error() -> Result<usize, String> {
        Err(GATE.pass().to_string())
    }
    let clock = clock_of("t_err");
    assert_eq!(cached_error(true), Err("1".to_owned()));
    assert_eq!(cached_error(true), Err("1".to_owned()));
    assert_eq!(cached_error(false), Ok(2));
    clock.advance(5 * SECOND);
    assert_eq!(cached_error(true), Err("3".to_owned()));
    assert_eq!(cached_error(false), Ok(2));
    assert_eq!(plain_error(), Err("4".to_owned()));
    assert_eq!(plain_error(), Err("5".to_owned()));
}

#[test]
fn none_is_a_value_and_may_have_a_timeout_of_its_own() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "t_none", timeout = 60, timeout_none = 5)]
    fn shorter(some: bool) -> Option<usize> {
        let run = GATE.pass();
        some.then_some(run)
    }
    #[cached(cache = "t_none", timeout = 60)]
    fn plain() -> Option<usize> {
        GATE.pass();
        None
    }
    let clock = clock_of("t_none");
    assert_eq!((shorter(false), shorter(true), plain()), (None, Some(2), None));
    assert_eq!((shorter(false), plain()), (None, None));
    assert_eq!(GATE.runs(), 3, "they are cached");
    clock.advance(5 * SECOND);
    assert_eq!((shorter(false), shorter(true), plain()), (None, Some(2), None));
    assert_eq!(GATE.runs(), 4, "the one `None` was cached for five seconds");
}
