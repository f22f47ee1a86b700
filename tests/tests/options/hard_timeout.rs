//! `hard_timeout`: how long a call waits for an answer at all.

use std::future::ready;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::{Error, ErrorKind, TimedOut, cached};
use keyedcache_tests::drive::block_on;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::{Place, timed};
use keyedcache_tests::watchdog::{PATIENCE, wait_until, within};

const MINUTE: Duration = Duration::from_mins(1);

#[derive(Clone, Debug, PartialEq)]
enum Failure {
    TooSlow(String),
    Broken,
}

impl From<TimedOut> for Failure {
    fn from(timed_out: TimedOut) -> Self {
        assert!(timed_out.to_string().contains(&timed_out.key));
        Self::TooSlow(timed_out.key)
    }
}

fn too_slow(key: &str) -> Result<usize, Failure> {
    Err(Failure::TooSlow(key.to_owned()))
}

#[test]
fn leader_and_followers_give_up_and_the_answer_is_saved() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_hard", name = "hard", timeout = 60, hard_timeout = "50ms")]
    fn f(x: &[u8]) -> Result<usize, Failure> {
        Ok(GATE.pass() + x.len())
    }
    within(PATIENCE, || {
        let (cache, _) = timed("o_hard");
        GATE.close();
        let came = Instant::now();
        let callers: Vec<_> = (0..4).map(|_| thread::spawn(|| f(b"ab"))).collect();
        for caller in callers {
            assert_eq!(caller.join().ok(), Some(too_slow(f::key(b"ab").text())));
        }
        assert!(came.elapsed() >= Duration::from_millis(50));
        assert_eq!(GATE.runs(), 1, "of all only one computed");
        assert_eq!(f(b"ab"), too_slow("hard::<97,98>"), "who comes later waits for the same one");
        assert_eq!(cache.stats().timed_out, 5);
        GATE.open();
        wait_until("it is saved", || f::peek(b"ab").wait().is_ok());
        assert_eq!((f(b"ab"), GATE.runs()), (Ok(3), 1));
    });
}

#[test]
fn an_async_body_goes_on_without_its_caller() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_hard_async", name = "hard", timeout = 60, hard_timeout = "50ms")]
    async fn f(x: u8) -> Result<usize, Failure> {
        Ok(GATE.pass_async().await + usize::from(x))
    }
    within(PATIENCE, || {
        let _timed = timed("o_hard_async");
        GATE.close();
        block_on(async {
            let both = tokio::join!(f(7), f(7));
            assert_eq!(both, (too_slow("hard::7"), too_slow("hard::7")));
            GATE.open();
            while f(7).await != Ok(8) {}
        });
        assert_eq!(GATE.runs(), 1);
    });
}

#[test]
fn an_answer_that_comes_in_time_is_the_bodys_own() {
    #[cached(cache = "o_hard_in_time", timeout = 60, hard_timeout = "1h")]
    fn f(x: u8) -> Result<u8, Failure> {
        x.checked_sub(1).ok_or(Failure::Broken)
    }
    #[cached(cache = "o_hard_in_time", timeout = 60, hard_timeout = "1h")]
    async fn g(x: u8) -> Result<u8, Failure> {
        ready(x.checked_sub(1)).await.ok_or(Failure::Broken)
    }
    within(PATIENCE, || {
        let _timed = timed("o_hard_in_time");
        for _ in 0..2 {
            assert_eq!((f(0), f(1)), (Err(Failure::Broken), Ok(0)));
            assert_eq!(block_on(async { (g(0).await, g(1).await) }), (f(0), f(1)));
        }
    });
}

#[test]
fn without_it_a_call_waits_to_the_end() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_hard_without", timeout = 60)]
    fn f() -> Result<usize, Failure> {
        Ok(GATE.pass())
    }
    within(PATIENCE, || {
        let _timed = timed("o_hard_without");
        GATE.close();
        let caller = thread::spawn(f);
        wait_until("it is at work", || GATE.running() == 1);
        thread::sleep(Duration::from_millis(20)); // proves that nobody gave up
        assert!(!caller.is_finished());
        GATE.open();
        assert_eq!(caller.join().ok(), Some(Ok(1)));
    });
}

#[test]
fn an_older_answer_is_better_than_none() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_hard_older", timeout = 60, stale_if_error = 60, hard_timeout = "500ms")]
    fn f() -> Result<usize, Failure> {
        Ok(GATE.pass())
    }
    within(PATIENCE, || {
        let (_, clock) = timed("o_hard_older");
        assert_eq!(f(), Ok(1));
        clock.advance(MINUTE);
        GATE.close();
        assert_eq!(f(), Ok(1));
        assert_eq!(GATE.runs(), 2);
        GATE.open();
        wait_until("it is saved", || f() == Ok(2));
    });
}

#[test]
fn it_bounds_the_wait_for_another_process() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_hard_other", name = "shared", timeout = 60)]
    fn other() -> Result<usize, Failure> {
        Ok(GATE.pass())
    }
    #[cached(cache = "o_hard_own", name = "shared", timeout = 60, hard_timeout = "20ms")]
    fn own() -> Result<usize, Failure> {
        Ok(GATE.pass())
    }
    within(PATIENCE, || {
        let place = Place::memory();
        place.register("o_hard_other");
        place.register("o_hard_own");
        GATE.close();
        let leader = thread::spawn(other);
        wait_until("the other one is at work", || GATE.running() == 1);
        assert_eq!(own(), too_slow("shared"));
        assert_eq!(GATE.runs(), 1);
        GATE.open();
        assert_eq!((leader.join().ok(), own()), (Some(Ok(1)), Ok(1)));
    });
}

#[test]
fn it_bounds_what_computes_alone() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_hard_off", timeout = 60, hard_timeout = "20ms")]
    fn f() -> Result<usize, Failure> {
        Ok(GATE.pass())
    }
    within(PATIENCE, || {
        let (cache, _) = timed("o_hard_off");
        cache.enable(false);
        GATE.close();
        assert!(f().is_err() && f().is_err());
        wait_until("both are at work", || GATE.running() == 2);
        GATE.open();
    });
}

#[test]
fn local_functions_and_methods_have_it() {
    static GATE: Gate = Gate::new();
    #[derive(Clone, keyedcache::KeyPart)]
    struct Shop(u8);
    #[cached]
    impl Shop {
        #[cached(cache = "o_hard_method", local, timeout = 60, hard_timeout = "20ms")]
        fn stock(&self) -> Result<Arc<usize>, Failure> {
            Ok(Arc::new(GATE.pass() + usize::from(self.0)))
        }

        #[cached(cache = "o_hard_method", timeout = 60, hard_timeout = "20ms")]
        async fn orders(self: Arc<Self>, more: &str) -> Result<usize, Failure> {
            Ok(GATE.pass_async().await + usize::from(self.0) + more.len())
        }
    }
    within(PATIENCE, || {
        let _timed = timed("o_hard_method");
        let shop = Arc::new(Shop(10));
        GATE.close();
        assert!(shop.stock().is_err());
        block_on(async {
            assert!(Arc::clone(&shop).orders("abc").await.is_err());
            GATE.open();
            while Arc::clone(&shop).orders("abc").await.is_err() {}
        });
        wait_until("it is kept", || shop.stock().is_ok());
        assert_eq!(GATE.runs(), 2);
    });
}

#[test]
fn a_panic_in_time_is_the_callers() {
    #[cached(cache = "o_hard_panic", timeout = 60, hard_timeout = "1h")]
    fn f(x: u8) -> Result<u8, Error> {
        assert!(x == 0, "a panic that is meant");
        Ok(x)
    }
    within(PATIENCE, || {
        let _timed = timed("o_hard_panic");
        let panic = std::panic::catch_unwind(|| f(1)).expect_err("it panics");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"a panic that is meant"));
        assert_eq!(f(0).ok(), Some(0));
    });
}

#[test]
fn after_a_panic_that_comes_late_the_next_caller_computes() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "o_hard_late_panic", timeout = 60, hard_timeout = "50ms")]
    fn f() -> Result<usize, Error> {
        let run = GATE.pass();
        assert!(run > 1, "a panic that is meant");
        Ok(run)
    }
    within(PATIENCE, || {
        let _timed = timed("o_hard_late_panic");
        GATE.close();
        let error = f().expect_err("it takes too long");
        assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::Timeout, true));
        assert!(error.to_string().contains(f::key().text()), "{error}");
        GATE.open();
        wait_until("the next one computes", || f().is_ok());
    });
}
