//! `soft_timeout`: how long a call waits for a new answer while it has an older one.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::store::{MemoryStore, Store};
use keyedcache::{Cache, Clock, Moment, cached};
use keyedcache_tests::drive::block_on;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;
use keyedcache_tests::watchdog::{PATIENCE, wait_until, within};

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn the_older_answer_is_served_when_the_new_one_takes_too_long() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_soft", timeout = 60, stale = 60, soft_timeout = "50ms")]
    fn f(_x: &str) -> usize {
        GATE.pass()
    }
    within(PATIENCE, || {
        let (cache, clock) = timed("o_soft");
        assert_eq!(f("a"), 1);
        clock.advance(MINUTE);
        GATE.close();
        let came = Instant::now();
        assert_eq!(f("a"), 1, "the older one");
        assert!(came.elapsed() >= Duration::from_millis(50), "after its time");
        assert_eq!(f("a"), 1, "who follows waits no longer");
        assert_eq!(GATE.runs(), 2, "it goes on meanwhile, once");
        assert_eq!(cache.stats().stale_hits, 2);
        GATE.open();
        wait_until("it is saved", || f::peek("a").wait().ok() == Some(2));
        assert_eq!(f("a"), 2);
        assert_eq!(GATE.runs(), 2);
    });
}

#[test]
fn a_new_answer_that_comes_in_time_is_waited_for() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_soft_in_time", timeout = 60, stale = 60, soft_timeout = "1h")]
    fn f() -> usize {
        GATE.pass()
    }
    #[cached(cache = "o_soft_in_time", timeout = 60, stale = 60, soft_timeout = "1h")]
    async fn g() -> usize {
        GATE.pass_async().await
    }
    within(PATIENCE, || {
        let (_, clock) = timed("o_soft_in_time");
        assert_eq!((f(), block_on(g())), (1, 2));
        clock.advance(MINUTE);
        assert_eq!((f(), block_on(g())), (3, 4), "not the older ones");
    });
}

#[test]
fn without_it_a_stale_answer_is_served_at_once() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_soft_without", timeout = 60, stale = 60)]
    fn f() -> usize {
        GATE.pass()
    }
    within(PATIENCE, || {
        let (_, clock) = timed("o_soft_without");
        assert_eq!(f(), 1);
        clock.advance(MINUTE);
        assert_eq!(f(), 1);
        wait_until("it is refreshed", || f::peek().wait().ok() == Some(2));
    });
}

#[test]
fn it_bounds_the_wait_where_the_older_answer_is_for_errors_only() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_soft_on_error", timeout = 60, stale_if_error = 60, soft_timeout = "500ms")]
    async fn f(x: u8) -> Result<usize, String> {
        Ok(GATE.pass_async().await + usize::from(x))
    }
    within(PATIENCE, || {
        let (_, clock) = timed("o_soft_on_error");
        block_on(async {
            assert_eq!(f(0).await, Ok(1));
            clock.advance(MINUTE);
            assert_eq!(f(0).await, Ok(2), "a new one, where it comes in time");
            clock.advance(MINUTE);
            GATE.close();
            assert_eq!(f(0).await, Ok(2), "the older one");
            assert_eq!(GATE.runs(), 3);
            GATE.open();
            while f(0).await != Ok(3) {}
        });
        assert_eq!(GATE.runs(), 3, "the one that went on was saved");
    });
}

#[test]
fn without_an_older_answer_it_is_waited_to_the_end() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_soft_none", timeout = 60, stale = 60, soft_timeout = "1ms")]
    fn f() -> usize {
        GATE.pass()
    }
    within(PATIENCE, || {
        let _timed = timed("o_soft_none");
        GATE.close();
        let callers: Vec<_> = (0..2).map(|_| thread::spawn(f)).collect();
        wait_until("one is at work", || GATE.running() == 1);
        thread::sleep(Duration::from_millis(20)); // far past it: proves that nobody gave up
        assert!(callers.iter().all(|caller| !caller.is_finished()));
        GATE.open();
        assert!(callers.into_iter().all(|caller| caller.join().unwrap_or(0) == 1));
    });
}

#[test]
fn the_runtime_of_the_caller_is_there_for_what_goes_on() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_soft_runtime", timeout = 60, stale = 60, soft_timeout = "20ms")]
    fn f() -> (usize, Option<String>) {
        let here = tokio::runtime::Handle::try_current().ok();
        (GATE.pass(), here.map(|here| here.id().to_string()))
    }
    within(PATIENCE, || {
        let (_, clock) = timed("o_soft_runtime");
        let own = block_on(async {
            f();
            clock.advance(MINUTE);
            GATE.close();
            assert_eq!(f().0, 1);
            GATE.open();
            tokio::runtime::Handle::current().id().to_string()
        });
        wait_until("it is saved", || f::peek().wait().is_ok_and(|(run, _)| run == 2));
        assert_eq!(f().1, Some(own));
    });
}

#[test]
fn the_new_answer_of_another_process_is_waited_for() {
    static GATE: Gate = Gate::new();
    #[cached(
        cache = "o_soft_other",
        name = "shared",
        timeout = 60,
        stale = 60,
        soft_timeout = "1h",
        lease = "50ms"
    )]
    fn other() -> usize {
        GATE.pass()
    }
    #[cached(cache = "o_soft_own", name = "shared", timeout = 60, stale = 60, soft_timeout = "1h")]
    fn own() -> usize {
        GATE.pass()
    }
    within(PATIENCE, || {
        let clock = Clock::manual(Moment::from_micros(1));
        let store: Arc<dyn Store> =
            Arc::new(MemoryStore::builder().clock(clock.clone()).build().expect("a store"));
        let cache = |alias| {
            let cache = Cache::builder().store(Arc::clone(&store)).clock(clock.clone());
            let cache = cache.build().expect("a cache");
            cache.register(alias).expect("an alias");
            cache
        };
        let (_other, mine) = (cache("o_soft_other"), cache("o_soft_own"));
        assert_eq!((other(), own()), (1, 1));
        clock.advance(MINUTE);
        GATE.close();
        let leader = thread::spawn(other);
        wait_until("the other one is at work", || GATE.running() == 1);
        let waiter = thread::spawn(own);
        wait_until("it has looked again while the lease stands", || mine.stats().waited > 1);
        assert!(!waiter.is_finished());
        GATE.open();
        assert_eq!((leader.join().ok(), waiter.join().ok()), (Some(2), Some(2)));
    });
}
