//! Memoized recursion, deep and around, in one process and in two.

#![allow(clippy::unused_async)]

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::{Cache, TimedOut, cache_key, cached};
use keyedcache_tests::child::{self, Child};
use keyedcache_tests::drive::{Driven, block_on};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::{Place, alone};
use keyedcache_tests::watchdog::within;
use serde::{Deserialize, Serialize, Serializer};

/// Runs on a stack of 8 MiB, as the main thread of a program has it.
fn on_eight_mebibytes<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = thread::Builder::new().stack_size(8 << 20).spawn(run).expect("a thread");
    thread.join().expect("it does not panic")
}

static STEPS: AtomicUsize = AtomicUsize::new(0);

#[cached(cache = "recursion", timeout = 600)]
fn sum_below(n: u64) -> u64 {
    STEPS.fetch_add(1, Ordering::Relaxed);
    if n == 0 { 0 } else { n + sum_below(n - 1) }
}

#[cached(cache = "recursion", timeout = 600)]
async fn sum_below_async(n: u64) -> u64 {
    STEPS.fetch_add(1, Ordering::Relaxed);
    if n == 0 { 0 } else { n + sum_below_async(n - 1).await }
}

#[cached(cache = "recursion", timeout = 600)]
fn fib(n: u64) -> u64 {
    STEPS.fetch_add(1, Ordering::Relaxed);
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

#[cached(cache = "recursion", timeout = 600)]
async fn fib_async(n: u64) -> u64 {
    STEPS.fetch_add(1, Ordering::Relaxed);
    if n < 2 { n } else { fib_async(n - 1).await + fib_async(n - 2).await }
}

const FIB_80: u64 = 23_416_728_348_467_685;

/// Runs a recursion over memory and over disk; answers what it comes to, which must be the same, and
/// how many steps it took, which must be `steps`, and none when it is asked again.
fn recur(steps: usize, run: fn() -> u64) -> u64 {
    let _alone = alone();
    let mut answers = [Place::memory(), Place::disk()].map(|place| {
        place.register("recursion");
        STEPS.store(0, Ordering::Relaxed);
        let answer = on_eight_mebibytes(run);
        assert_eq!(STEPS.load(Ordering::Relaxed), steps, "{}", place.name());
        assert_eq!(on_eight_mebibytes(run), answer);
        assert_eq!(STEPS.load(Ordering::Relaxed), steps, "it is cached over {}", place.name());
        answer
    });
    answers.sort_unstable();
    assert_eq!(answers[0], answers[1]);
    answers[0]
}

#[test]
fn sync_recursion_goes_five_thousand_deep() {
    assert_eq!(recur(5_001, || sum_below(5_000)), 12_502_500);
}

#[test]
fn async_recursion_goes_a_thousand_deep_without_boxing() {
    assert_eq!(recur(1_001, || block_on(sum_below_async(1_000))), 500_500);
}

#[test]
fn async_recursion_goes_a_thousand_deep_in_a_task() {
    let run = || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).thread_stack_size(8 << 20).build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async { tokio::spawn(sum_below_async(1_000)).await.expect("no panic") })
    };
    assert_eq!(recur(1_001, run), 500_500);
}

#[test]
fn a_tree_of_sync_calls_runs_each_call_once() {
    assert_eq!(recur(81, || fib(80)), FIB_80);
}

#[test]
fn a_tree_of_async_calls_runs_each_call_once() {
    assert_eq!(recur(81, || block_on(fib_async(80))), FIB_80);
}

#[cached(cache = "recursion", skip(depth))]
fn around(x: u64, depth: u64) -> u64 {
    if depth == 0 { x } else { around(x, depth - 1) }
}

#[cached(cache = "recursion", skip(depth))]
async fn around_async(x: u64, depth: u64) -> u64 {
    if depth == 0 { x } else { around_async(x, depth - 1).await }
}

#[cached(cache = "recursion", name = "around-mixed", skip(depth))]
async fn around_mixed(x: u64, depth: u64) -> u64 {
    if depth == 0 { x } else { around_sync(x, depth - 1) }
}

#[cached(cache = "recursion", name = "around-mixed", skip(depth))]
fn around_sync(x: u64, depth: u64) -> u64 {
    if depth == 0 { x } else { block_on(around_mixed(x, depth - 1)) }
}

/// In which a task that the body spawned asks for the body's own key. Its future is declared to be
/// `Send`, as with every `stale`; of one that spawns itself it cannot be found out.
#[cached(cache = "recursion", skip(depth), wait = "100ms", stale = 1)]
async fn around_by_task(x: u64, depth: u64) -> u64 {
    if depth == 0 {
        return x;
    }
    tokio::spawn(around_by_task(x, depth - 1)).await.expect("no panic")
}

#[test]
fn a_function_that_re_enters_its_own_key_computes() {
    let _alone = alone();
    for place in [Place::memory(), Place::disk()] {
        place.register("recursion");
        let asked = Instant::now();
        within(Duration::from_secs(10), || {
            assert_eq!(around(7, 3), 7);
            assert_eq!(block_on(around_async(7, 3)), 7);
        });
        assert!(asked.elapsed() < Duration::from_secs(1), "it waited for itself");
        // What the body hides from us is bounded by the time a call waits.
        within(Duration::from_secs(10), || assert_eq!(block_on(around_by_task(7, 2)), 7));
    }
}

#[test]
fn a_key_that_sync_and_async_code_re_enters_through_each_other_is_computed() {
    let _alone = alone();
    for place in [Place::memory(), Place::disk()] {
        place.register("recursion");
        within(Duration::from_secs(10), || {
            let asked = Instant::now();
            assert_eq!(around_sync(7, 2), 7);
            assert_eq!(block_on(around_mixed(8, 1)), 8);
            assert!(asked.elapsed() < Duration::from_secs(1), "it waited for itself");
        });
    }
}

/// In which what is asked of an answer asks for that answer itself.
#[cached(cache = "recursion", cache_if = |x| asks_again(*x) == *x)]
fn asks_again(x: u64) -> u64 {
    x
}

#[cached(cache = "recursion", cache_if = |x| driven(asks_again_async(*x)) == *x)]
async fn asks_again_async(x: u64) -> u64 {
    x
}

#[cached(
    cache = "recursion",
    hard_timeout = "1h",
    cache_if = |x| x.as_ref().is_ok_and(|x| driven(asks_away(*x)).is_ok())
)]
async fn asks_away(x: u64) -> Result<u64, TimedOut> {
    Ok(x)
}

#[cached(cache = "recursion", local, timeout = |x| Duration::from_secs(asks_here(*x)))]
fn asks_here(x: u64) -> u64 {
    x
}

/// Polled in no runtime, and so within any.
fn driven<T>(future: impl Future<Output = T>) -> T {
    Driven::new(future).finish_within(Duration::from_mins(1))
}

/// Asks for what is under a key when it is written under that.
#[derive(Clone, Deserialize)]
struct Echo(u64);

impl Serialize for Echo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let x = self.0;
        let cache = Cache::named("recursion").expect("it is registered");
        let again = cache.get_or_set(cache_key!("echo", x));
        assert_eq!(again.compute(async || x).wait(), x);
        serializer.serialize_u64(x)
    }
}

type Asking = fn(&Cache) -> u64;

#[test]
fn what_is_asked_of_an_answer_is_within_the_body() {
    let _alone = alone();
    for place in [Place::memory(), Place::disk()] {
        let cache = place.register("recursion");
        let calls: [(&str, Asking); 8] = [
            ("sync", |_| asks_again(7)),
            ("async", |_| block_on(asks_again_async(7))),
            ("limited in time", |_| block_on(asks_away(7)).expect("an hour is enough")),
            ("local", |_| asks_here(7)),
            ("a sync refresh", |_| asks_again::refresh(8).wait()),
            ("an async refresh", |_| block_on(async { asks_again_async::refresh(8).await })),
            ("a local refresh", |_| asks_here::refresh(8).wait()),
            ("by hand", |cache| {
                cache.get_or_set(cache_key!("echo", 7)).compute(async || Echo(7)).wait().0
            }),
        ];
        for (name, call) in calls {
            let (asked, cache) = (Instant::now(), cache.clone());
            within(Duration::from_secs(10), move || assert!(call(&cache) >= 7));
            assert!(asked.elapsed() < Duration::from_secs(1), "{name}: it waited for itself");
        }
    }
}

thread_local! {
    static INNER: Cell<bool> = const { Cell::new(false) };
}

static LEFT: Gate = Gate::new();
static RIGHT: Gate = Gate::new();

/// Whoever leads `left` asks for `right`, and the other way round; who is asked by the other asks no
/// further.
#[cached(cache = "recursion", name = "left", skip(ask))]
fn left(x: u64, ask: bool) -> u64 {
    LEFT.pass();
    if ask {
        assert_eq!(right(x, false), x + 2);
    }
    x + 1
}

#[cached(cache = "recursion", name = "right", skip(ask))]
fn right(x: u64, ask: bool) -> u64 {
    RIGHT.pass();
    if ask {
        assert_eq!(left(x, false), x + 1);
    }
    x + 2
}

#[cached(cache = "recursion", name = "left-async", skip(ask))]
async fn left_async(x: u64, ask: bool) -> u64 {
    LEFT.pass_async().await;
    if ask {
        assert_eq!(right_async(x, false).await, x + 2);
    }
    x + 1
}

#[cached(cache = "recursion", name = "right-async", skip(ask))]
async fn right_async(x: u64, ask: bool) -> u64 {
    RIGHT.pass_async().await;
    if ask {
        assert_eq!(left_async(x, false).await, x + 1);
    }
    x + 2
}

/// Both lead before either asks for the other; how long both took from then.
fn cross(
    left: impl FnOnce() -> u64 + Send + 'static,
    right: impl FnOnce() -> u64 + Send + 'static,
) -> Duration {
    within(Duration::from_secs(10), || {
        for gate in [&LEFT, &RIGHT] {
            gate.reset();
            gate.close();
        }
        let (left, right) = (thread::spawn(left), thread::spawn(right));
        while LEFT.running() + RIGHT.running() < 2 {
            thread::yield_now();
        }
        let opened = Instant::now();
        LEFT.open();
        RIGHT.open();
        assert_eq!(left.join().expect("no panic"), 8);
        assert_eq!(right.join().expect("no panic"), 9);
        opened.elapsed()
    })
}

#[test]
fn two_functions_that_wait_for_each_other_both_answer() {
    let _alone = alone();
    for place in [Place::memory(), Place::disk()] {
        place.register("recursion");
        let took = cross(|| left(7, true), || right(7, true));
        assert!(took < Duration::from_secs(3), "{took:?} over {}", place.name());
        let took = cross(|| block_on(left_async(7, true)), || block_on(right_async(7, true)));
        assert!(took < Duration::from_secs(3), "{took:?} over {}", place.name());
    }
}

/// `left` of one process and `right` of another.
#[cached(name = "left-of-two", skip(ask))]
fn left_of_two(x: u64, ask: bool) -> u64 {
    if ask {
        child::say("leads");
        child::hear().expect("the test goes on");
        assert_eq!(right_of_two(x, false), x + 2);
    }
    x + 1
}

#[cached(name = "right-of-two", skip(ask))]
fn right_of_two(x: u64, ask: bool) -> u64 {
    if ask {
        child::say("leads");
        child::hear().expect("the test goes on");
        assert_eq!(left_of_two(x, false), x + 1);
    }
    x + 2
}

#[test]
fn two_processes_that_wait_for_each_other_both_answer() {
    match child::role().as_deref() {
        Some("left") => return child::say(&left_of_two(7, true).to_string()),
        Some("right") => return child::say(&right_of_two(7, true).to_string()),
        _ => {}
    }
    let test = "two_processes_that_wait_for_each_other_both_answer";
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("disk:{}", folder.path().display());
    let mut left = Child::in_role(test, "left", &url);
    let mut right = Child::in_role(test, "right", &url);
    left.expect("leads");
    right.expect("leads");
    let told = Instant::now();
    left.say("go on");
    right.say("go on");
    left.expect("8");
    right.expect("9");
    let took = told.elapsed();
    assert!(took >= Duration::from_millis(500), "they did not wait for each other: {took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    left.finish();
    right.finish();
}
