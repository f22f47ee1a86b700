//! Sync code that waits, wherever it is called: in every kind of runtime, with async code at work on
//! the same key in the same place. Never a hang, never a panic.

use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::{Cache, cache_key, cached};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::Place;
use keyedcache_tests::watchdog::{PATIENCE, wait_until, within};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// What computes alone, and does not wait for what could not go on meanwhile, is done by then.
const AT_ONCE: Duration = Duration::from_secs(2);

static GATE: RwLock<Option<&'static Gate>> = RwLock::new(None);

/// The gate of the test that runs now. One that hangs leaves its own behind, shut.
fn gate() -> &'static Gate {
    GATE.read().expect("no panic while it is set").expect("a test set it")
}

/// How long a body waits for another one before it computes by itself.
const NESTED_WAIT: Duration = Duration::from_secs(1);

/// The tests set the gate and the alias, so one runs at a time; over memory and over disk, each on a
/// thread that is watched.
fn everywhere(test: fn(&Cache)) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for place in [Place::memory(), Place::disk()] {
        let cache = place.register("waiting");
        *GATE.write().expect("no panic while it is set") = Some(Box::leak(Box::default()));
        within(PATIENCE, move || test(&cache));
    }
}

/// Held by the gate, so that a test can have it at work.
#[cached(cache = "waiting", name = "answer", timeout = 60)]
async fn answer_async(x: u64) -> u64 {
    gate().pass_async().await;
    x + 1
}

/// The same key for sync code.
#[cached(cache = "waiting", name = "answer", timeout = 60)]
fn answer(x: u64) -> u64 {
    x + 1
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn workers(count: usize) -> Runtime {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(count).enable_all().build().expect("a runtime")
}

/// Waits, without blocking the thread, until an async leader is at work.
async fn until_it_leads() {
    while gate().running() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Everything that sync code can wait for, on the key that async code may be computing; `at_work` is
/// whether that is so.
fn ask_in_every_way(x: u64, at_work: bool) {
    let came = Instant::now();
    assert_eq!(answer_async::peek(x).wait().is_err(), at_work);
    assert_eq!(answer(x), x + 1);
    assert_eq!(answer::refresh(x).wait(), x + 1);
    assert_eq!(answer::peek(x).wait().ok(), Some(x + 1));
    answer::put(x, x + 1).wait().expect("the store is well");
    answer::invalidate(x).wait().expect("the store is well");
    assert_eq!(answer(x), x + 1);
    assert!(came.elapsed() < AT_ONCE, "{:?}", came.elapsed());
}

#[test]
fn sync_code_in_a_current_thread_runtime_computes_beside_an_async_leader_there() {
    everywhere(|_| {
        gate().close();
        current_thread().block_on(async {
            let leader = tokio::spawn(answer_async(1));
            until_it_leads().await;
            tokio::spawn(async { ask_in_every_way(1, true) }).await.expect("no panic");
            // And on the thread of `block_on` itself.
            let leader_of_another = tokio::spawn(answer_async(2));
            while gate().running() < 2 {
                tokio::task::yield_now().await;
            }
            ask_in_every_way(2, true);
            gate().open();
            assert_eq!(leader.await.expect("no panic"), 2);
            assert_eq!(leader_of_another.await.expect("no panic"), 3);
        });
    });
}

#[test]
fn a_request_to_compute_that_is_waited_for_computes_beside_an_async_leader_of_the_same_thread() {
    everywhere(|cache| {
        gate().close();
        let cache = cache.clone();
        current_thread().block_on(async {
            let compute = |cache: &Cache| cache.get_or_set(cache_key!("report", 7));
            let leading = compute(&cache).compute(async || {
                gate().pass_async().await;
                7_u64
            });
            let leader = tokio::task::LocalSet::new();
            let leader_task = leader.spawn_local(async move { leading.await });
            leader
                .run_until(async {
                    until_it_leads().await;
                    let came = Instant::now();
                    assert_eq!(compute(&cache).compute(async || 7_u64).wait(), 7);
                    assert!(came.elapsed() < AT_ONCE, "it waited for its own thread");
                    gate().open();
                    assert_eq!(leader_task.await.expect("no panic"), 7);
                })
                .await;
        });
    });
}

#[test]
fn sync_code_computes_beside_a_request_of_the_same_thread_that_was_made_on_another() {
    everywhere(|_| {
        gate().close();
        let request = thread::spawn(|| answer_async::refresh(1)).join().expect("no panic");
        current_thread().block_on(async {
            let leader = tokio::spawn(request.into_future());
            until_it_leads().await;
            ask_in_every_way(1, true);
            gate().open();
            assert_eq!(leader.await.expect("no panic"), 2);
        });
    });
}

/// Waits in async code that sync code waits for, on what async code of the same thread leads.
#[cached(cache = "waiting", timeout = 60)]
async fn outer_async(x: u64) -> u64 {
    answer_async(x).await
}

#[test]
fn async_code_that_sync_code_waits_for_computes_beside_an_async_leader_of_the_same_thread() {
    everywhere(|_| {
        gate().close();
        current_thread().block_on(async {
            let leader = tokio::spawn(answer_async(1));
            until_it_leads().await;
            // It computes, so it stands at the gate too; another thread has to open it.
            let opener = thread::spawn(|| {
                wait_until("both are at work", || gate().running() == 2);
                gate().open();
            });
            let came = Instant::now();
            assert_eq!(outer_async::refresh(1).wait(), 2);
            assert!(came.elapsed() < NESTED_WAIT, "it waited for its own thread");
            opener.join().expect("no panic");
            assert_eq!(leader.await.expect("no panic"), 2);
        });
    });
}

#[test]
fn sync_code_of_a_current_thread_runtime_waits_for_an_async_leader_elsewhere() {
    everywhere(|cache| {
        gate().close();
        let elsewhere = thread::spawn(|| current_thread().block_on(answer_async(1)));
        wait_until("the leader is at work", || gate().running() == 1);
        let opener = thread::spawn(|| {
            thread::sleep(Duration::from_millis(50)); // that the other one is waiting by then
            gate().open();
        });
        current_thread().block_on(async { assert_eq!(answer(1), 2) });
        assert_eq!(elsewhere.join().expect("no panic"), 2);
        opener.join().expect("no panic");
        assert_eq!(cache.stats().computed, 1);
        assert_eq!(cache.stats().computed_alone, 0);
    });
}

#[test]
fn two_waiters_on_both_workers_let_the_async_leader_behind_them_go_on() {
    everywhere(|cache| {
        let runtime = workers(2);
        gate().close();
        let leader = runtime.spawn(answer_async(1));
        wait_until("the leader is at work", || gate().running() == 1);
        let waiters = [0, 1].map(|_| runtime.spawn(async { answer(1) }));
        // What opens the gate needs a worker as well.
        let opener = runtime.spawn(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            gate().open();
        });
        runtime.block_on(async {
            for waiter in waiters {
                assert_eq!(waiter.await.expect("no panic"), 2);
            }
            assert_eq!(leader.await.expect("no panic"), 2);
            opener.await.expect("no panic");
        });
        // A waiter on the worker that the leader began on waits too: there the others move on.
        assert_eq!((cache.stats().computed, cache.stats().computed_alone), (1, 0));
    });
}

#[test]
fn many_waiters_on_a_single_worker_let_the_async_leader_behind_them_go_on() {
    everywhere(|cache| {
        let runtime = workers(1);
        gate().close();
        let leader = runtime.spawn(answer_async(1));
        wait_until("the leader is at work", || gate().running() == 1);
        let waiters: Vec<_> = (0..20).map(|_| runtime.spawn(async { answer(1) })).collect();
        let opener = runtime.spawn(async { gate().open() });
        runtime.block_on(async {
            for waiter in waiters {
                assert_eq!(waiter.await.expect("no panic"), 2);
            }
            assert_eq!(leader.await.expect("no panic"), 2);
            opener.await.expect("no panic");
        });
        assert_eq!((cache.stats().computed, cache.stats().computed_alone), (1, 0));
    });
}

/// One task of a `LocalSet` leads, another one asks.
async fn ask_in_a_local_set() {
    gate().reset();
    gate().close();
    let set = LocalSet::new();
    set.run_until(async {
        let leader = tokio::task::spawn_local(answer_async(1));
        until_it_leads().await;
        tokio::task::spawn_local(async { ask_in_every_way(1, true) }).await.expect("no panic");
        gate().open();
        assert_eq!(leader.await.expect("no panic"), 2);
    })
    .await;
}

#[test]
fn sync_code_in_a_local_set_computes_beside_an_async_leader_there() {
    everywhere(|_| current_thread().block_on(ask_in_a_local_set()));
    everywhere(|_| workers(2).block_on(ask_in_a_local_set()));
}

#[test]
fn sync_code_in_a_local_set_on_a_blocking_thread_computes_beside_an_async_leader_there() {
    everywhere(|_| {
        for runtime in [current_thread(), workers(1)] {
            answer::invalidate_all().wait().expect("the store is well");
            runtime.block_on(async {
                let handle = tokio::runtime::Handle::current();
                let ask = move || handle.block_on(ask_in_a_local_set());
                tokio::task::spawn_blocking(ask).await.expect("no panic");
            });
        }
    });
}

#[test]
fn sync_code_in_spawn_blocking_waits_for_an_async_leader() {
    everywhere(|cache| {
        for runtime in [current_thread(), workers(1)] {
            answer::invalidate_all().wait().expect("the store is well");
            gate().reset();
            gate().close();
            runtime.block_on(async {
                let leader = tokio::spawn(answer_async(1));
                until_it_leads().await;
                let waiter = tokio::task::spawn_blocking(|| answer(1));
                tokio::time::sleep(Duration::from_millis(50)).await; // that it waits by then
                gate().open();
                assert_eq!(waiter.await.expect("no panic"), 2);
                assert_eq!(leader.await.expect("no panic"), 2);
                tokio::task::spawn_blocking(|| ask_in_every_way(1, false)).await.expect("no panic");
            });
        }
        assert_eq!(cache.stats().computed_alone, 0, "they waited");
    });
}

#[test]
fn sync_code_in_block_in_place_lets_the_async_leader_go_on() {
    everywhere(|_| {
        let runtime = workers(1);
        gate().close();
        let leader = runtime.spawn(answer_async(1));
        wait_until("the leader is at work", || gate().running() == 1);
        let waiter = runtime.spawn(async { tokio::task::block_in_place(|| answer(1)) });
        let opener = runtime.spawn(async { gate().open() });
        runtime.block_on(async {
            assert_eq!(waiter.await.expect("no panic"), 2);
            assert_eq!(leader.await.expect("no panic"), 2);
            opener.await.expect("no panic");
            tokio::spawn(async { tokio::task::block_in_place(|| ask_in_every_way(1, false)) })
                .await
                .expect("no panic");
        });
    });
}

#[test]
fn sync_code_on_a_thread_without_a_runtime_waits_for_an_async_leader() {
    everywhere(|cache| {
        gate().close();
        let leader = thread::spawn(|| current_thread().block_on(answer_async(1)));
        wait_until("the leader is at work", || gate().running() == 1);
        let waiter = thread::spawn(|| answer(1));
        thread::sleep(Duration::from_millis(50)); // that it waits by then
        gate().open();
        assert_eq!(waiter.join().expect("no panic"), 2);
        assert_eq!(leader.join().expect("no panic"), 2);
        assert_eq!((cache.stats().computed, cache.stats().computed_alone), (1, 0));
        ask_in_every_way(1, false);
    });
}

#[test]
fn async_leader_and_sync_waiter_joined_in_one_task_both_answer() {
    async fn joined() {
        gate().close();
        let sync = async {
            until_it_leads().await;
            ask_in_every_way(1, true);
            gate().open();
        };
        let (led, ()) = tokio::join!(answer_async(1), sync);
        assert_eq!(led, 2);
    }
    everywhere(|_| current_thread().block_on(joined()));
    everywhere(|_| workers(2).block_on(joined()));
    everywhere(|_| {
        let runtime = workers(1);
        let task = runtime.spawn(joined());
        runtime.block_on(task).expect("no panic");
    });
    everywhere(|_| {
        let runtime = workers(2);
        let task = runtime.spawn(joined());
        runtime.block_on(task).expect("no panic");
    });
}

#[test]
fn async_callers_joined_in_one_task_compute_once() {
    everywhere(|cache| {
        gate().close();
        let opener = async {
            until_it_leads().await;
            gate().open();
        };
        let (one, other, third, ()) = current_thread().block_on(async {
            tokio::join!(answer_async(1), answer_async(1), answer_async(1), opener)
        });
        assert_eq!((one, other, third), (2, 2, 2));
        assert_eq!((cache.stats().computed, cache.stats().followed), (1, 2));
    });
}

#[test]
fn sync_leader_whose_body_runs_async_code_of_its_own_runtime_answers() {
    /// Blocks on a runtime in which a task asks for another key that is at work there.
    #[cached(cache = "waiting", timeout = 60)]
    fn outer(x: u64) -> u64 {
        current_thread().block_on(async move {
            let inner = tokio::spawn(answer_async(x));
            until_it_leads().await;
            let beside = answer(x);
            gate().open();
            beside + inner.await.expect("no panic")
        })
    }
    everywhere(|_| {
        gate().close();
        assert_eq!(outer(1), 4);
    });
}

/// Sync code that waits for the store hundreds of times while it is polled once; tokio lets a task have
/// what is ready 128 times in one poll, and nothing after that.
fn ask_hundreds_of_times() {
    for x in 0..400 {
        assert_eq!(answer(x), x + 1);
    }
}

#[test]
fn hundreds_of_sync_calls_in_one_poll_of_a_current_thread_runtime_all_end() {
    everywhere(|_| current_thread().block_on(async { ask_hundreds_of_times() }));
    everywhere(|_| {
        let runtime = current_thread();
        let task = runtime.spawn(async { ask_hundreds_of_times() });
        runtime.block_on(task).expect("no panic");
    });
}

#[test]
fn hundreds_of_sync_calls_in_one_poll_of_a_multi_thread_runtime_all_end() {
    everywhere(|_| workers(1).block_on(async { ask_hundreds_of_times() }));
    everywhere(|_| {
        let runtime = workers(1);
        let task = runtime.spawn(async {
            while tokio::task::coop::has_budget_remaining() {
                tokio::task::coop::consume_budget().await;
            }
            ask_hundreds_of_times();
        });
        runtime.block_on(task).expect("no panic");
    });
}
