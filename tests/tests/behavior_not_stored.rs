//! Answers that are not stored: those who ask at once compute side by side, or share an error.
//!
//! The first computes, since nobody can know what it will answer; when it has, all others compute at
//! once: the time of two runs, whatever their number.

use std::thread;
use std::time::{Duration, Instant};

use keyedcache::cached;
use keyedcache_tests::child::{self, Child};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::{Place, alone};

/// How long a run takes.
const RUN: Duration = Duration::from_millis(200);

/// Two runs, and what a busy machine needs to start a hundred threads; one after another would take
/// 20 s.
const SIDE_BY_SIDE: Duration = Duration::from_millis(1_500);

const CALLERS: usize = 100;

/// An error that cannot be cloned.
#[derive(Debug)]
struct Refused;

static GATE: Gate = Gate::new();

#[cached(cache = "unstored", timeout = 60)]
fn refuses(x: u64) -> Result<u64, Refused> {
    GATE.work(RUN);
    if x == 0 { Ok(x) } else { Err(Refused) }
}

#[cached(cache = "unstored", timeout = 60)]
async fn refuses_async(x: u64) -> Result<u64, Refused> {
    GATE.work_async(RUN).await;
    if x == 0 { Ok(x) } else { Err(Refused) }
}

#[cached(cache = "unstored", timeout = 60, cache_if = |answer| *answer == 0)]
fn conditional(x: u64) -> u64 {
    GATE.work(RUN);
    x
}

#[cached(cache = "unstored", timeout = 60, cache_if = |answer| *answer == 0)]
async fn conditional_async(x: u64) -> u64 {
    GATE.work_async(RUN).await;
    x
}

#[cached(cache = "unstored", timeout = Duration::ZERO)]
fn without_time(x: u64) -> u64 {
    GATE.work(RUN);
    x
}

#[cached(cache = "unstored", timeout = Duration::ZERO)]
async fn without_time_async(x: u64) -> u64 {
    GATE.work_async(RUN).await;
    x
}

#[cached(cache = "unstored", local, cache_if = |answer| *answer == 0)]
fn local(x: u64) -> u64 {
    GATE.work(RUN);
    x
}

/// Calls on a hundred threads at once.
fn on_threads(call: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(&call);
        }
    });
}

/// Calls in a hundred tasks at once, of two workers.
fn in_tasks<F: Future<Output = ()> + Send + 'static>(call: impl Fn() -> F) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let tasks: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(call())).collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
}

/// All callers compute, and at the same time.
fn is_side_by_side(what: &str, all_call: impl Fn()) {
    for place in [Place::memory(), Place::disk()] {
        place.register("unstored");
        GATE.reset();
        let came = Instant::now();
        all_call();
        let took = came.elapsed();
        let about = format!("{what} over {}", place.name());
        assert_eq!(GATE.runs(), CALLERS, "{about}: everyone computes its own");
        // One leads; of the others a few may come when it is done already.
        let together = GATE.most_at_once();
        assert!(together >= CALLERS / 2, "{about}: only {together} at a time");
        assert!(took < SIDE_BY_SIDE, "{about}: {took:?}");
    }
}

#[test]
fn sync_callers_of_what_is_not_stored_compute_side_by_side() {
    let _alone = alone();
    is_side_by_side("an error", || on_threads(|| assert!(refuses(1).is_err())));
    is_side_by_side("a condition", || on_threads(|| assert_eq!(conditional(1), 1)));
    is_side_by_side("no time", || on_threads(|| assert_eq!(without_time(1), 1)));
    is_side_by_side("locally", || on_threads(|| assert_eq!(local(1), 1)));
}

#[test]
fn async_callers_of_what_is_not_stored_compute_side_by_side() {
    let _alone = alone();
    is_side_by_side("an error", || {
        in_tasks(|| async { assert!(refuses_async(1).await.is_err()) });
    });
    is_side_by_side("a condition", || {
        in_tasks(|| async { assert_eq!(conditional_async(1).await, 1) });
    });
    is_side_by_side("no time", || {
        in_tasks(|| async { assert_eq!(without_time_async(1).await, 1) });
    });
}

#[test]
fn what_may_be_stored_of_the_same_functions_is_computed_once() {
    let _alone = alone();
    for place in [Place::memory(), Place::disk()] {
        place.register("unstored");
        GATE.reset();
        on_threads(|| assert!(refuses(0).is_ok()));
        in_tasks(|| async { assert!(refuses_async(0).await.is_ok()) });
        on_threads(|| assert_eq!(conditional(0), 0));
        on_threads(|| assert_eq!(local(0), 0));
        assert_eq!(GATE.runs(), 4, "{}", place.name());
    }
}

#[cached(cache = "unstored", timeout = 60)]
fn shared_error(x: u64) -> Result<u64, String> {
    // Held until all callers have come.
    let run = SHARED.pass();
    Err(format!("{x} failed in run {run}"))
}

#[cached(cache = "unstored", timeout = 60)]
async fn shared_error_async(x: u64) -> Result<u64, String> {
    let run = SHARED.pass_async().await;
    Err(format!("{x} failed in run {run}"))
}

static SHARED: Gate = Gate::new();

#[test]
fn an_error_that_can_be_cloned_is_handed_to_those_who_wait() {
    let _alone = alone();
    for place in [Place::memory(), Place::disk()] {
        let cache = place.register("unstored");
        SHARED.reset();
        SHARED.close();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.build().expect("a runtime").block_on(async {
            let tasks: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(shared_error_async(1))).collect();
            // Over disk a write on another thread comes before the body.
            while SHARED.running() == 0 {
                tokio::task::yield_now().await;
            }
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            SHARED.open();
            for task in tasks {
                let error = task.await.expect("no panic").expect_err("it fails");
                assert_eq!(error, "1 failed in run 1");
            }
        });
        assert_eq!(SHARED.runs(), 1, "{}", place.name());
        assert_eq!(cache.stats().followed, 99, "{}", place.name());
        assert_eq!(shared_error(1), Err("1 failed in run 2".to_owned()), "it is not stored");
    }
}

#[cached(timeout = 60)]
fn refuses_everywhere(x: u64) -> Result<u64, Refused> {
    thread::sleep(RUN);
    if x == 0 { Ok(x) } else { Err(Refused) }
}

#[cached(timeout = 60, cache_if = |answer| *answer == 0)]
fn conditional_everywhere(x: u64) -> u64 {
    thread::sleep(RUN);
    x
}

const PROCESSES: usize = 4;

/// One of the processes: at each word, 25 threads call.
fn call_at_each_word() {
    child::say("ready");
    while let Some(word) = child::hear() {
        thread::scope(|scope| {
            for _ in 0..CALLERS / PROCESSES {
                scope.spawn(|| match word.as_str() {
                    "error" => assert!(refuses_everywhere(1).is_err()),
                    _ => assert_eq!(conditional_everywhere(1), 1),
                });
            }
        });
        child::say("done");
    }
}

#[test]
fn processes_compute_what_is_not_stored_side_by_side() {
    if child::role().is_some() {
        return call_at_each_word();
    }
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("disk:{}", folder.path().display());
    let start =
        |_| Child::in_role("processes_compute_what_is_not_stored_side_by_side", "caller", &url);
    let mut processes: Vec<_> = (0..PROCESSES).map(start).collect();
    for process in &processes {
        process.expect("ready");
    }
    for word in ["error", "condition"] {
        let told = Instant::now();
        for process in &mut processes {
            process.say(word);
        }
        for process in &processes {
            process.expect("done");
        }
        let took = told.elapsed();
        assert!(took < SIDE_BY_SIDE, "{word}: {took:?}");
    }
    processes.into_iter().for_each(Child::finish);
}
