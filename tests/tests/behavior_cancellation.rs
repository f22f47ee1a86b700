//! A caller that goes away, at whatever point, leaves flight and lease free for the next one.
//!
//! "At once" is a second here: far below the lease (10 s) and the time a call waits (30 s).

#![allow(clippy::unwrap_used)]

use std::panic::{self, AssertUnwindSafe};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::cached;
use keyedcache_tests::drive::{Driven, block_on, hesitate};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::{Place, alone};
use keyedcache_tests::watchdog::wait_until;

const AT_ONCE: Duration = Duration::from_secs(1);

/// More polls than any call here needs.
const MANY: usize = 200;

fn places() -> [Place; 3] {
    [Place::memory(), Place::memory().hesitant(), Place::disk().hesitant()]
}

#[cached(cache = "dropped", name = "slow", timeout = 60)]
async fn slow(x: u64) -> u64 {
    hesitate().await;
    hesitate().await;
    x + 1
}

/// The same function as another process has it.
#[cached(cache = "elsewhere", name = "slow", timeout = 60)]
async fn slow_elsewhere(x: u64) -> u64 {
    hesitate().await;
    hesitate().await;
    x + 1
}

/// Polls the future of `call` once, twice, and so on, up to its end, and drops it; `then` is told
/// which try it was, before the drop by `while_it_stands` and after it by `when_gone`.
fn drop_at_every_point<'a, F: Future<Output = u64> + 'a, W>(
    call: impl Fn(u64) -> F,
    while_it_stands: impl Fn(u64) -> W,
    when_gone: impl Fn(u64, W),
) -> usize {
    for times in 0..MANY {
        let x = times as u64;
        let mut dropped = Driven::new(call(x));
        let ended = dropped.poll_times(times);
        let kept = while_it_stands(x);
        drop(dropped);
        when_gone(x, kept);
        if let Poll::Ready(answer) = ended {
            assert_eq!(answer, x + 1);
            return times;
        }
    }
    panic!("the call never ended");
}

#[test]
fn a_call_dropped_at_any_point_leaves_the_next_caller_free() {
    let _alone = alone();
    for place in places() {
        place.register("dropped");
        let points = drop_at_every_point(
            slow,
            |_| (),
            |x, ()| {
                assert_eq!(Driven::new(slow(x)).finish_within(AT_ONCE), x + 1, "{}", place.name());
            },
        );
        assert!(points >= 3, "the body alone waits twice");
    }
}

#[test]
fn a_call_dropped_at_any_point_leaves_other_processes_free() {
    let _alone = alone();
    for place in places() {
        place.register("dropped");
        place.register("elsewhere");
        drop_at_every_point(
            slow,
            |_| (),
            |x, ()| {
                let next = Driven::new(slow_elsewhere(x)).finish_within(AT_ONCE);
                assert_eq!(next, x + 1, "{}", place.name());
            },
        );
    }
}

#[test]
fn a_leader_dropped_at_any_point_lets_its_followers_go_on_wherever_they_stand() {
    let _alone = alone();
    for place in [Place::memory().hesitant(), Place::disk().hesitant()] {
        place.register("dropped");
        // Followers stand at the first points of their calls, up to where they only wait.
        for steps in [1, 2, 3, 4, 5, 8, MANY] {
            place.register("dropped");
            slow::invalidate_all().wait().unwrap();
            drop_at_every_point(
                slow,
                |x| {
                    let mut follower = Driven::new(slow(x));
                    let ended = follower.poll_times(steps);
                    (follower, ended)
                },
                |x, (follower, ended)| {
                    let answer = match ended {
                        Poll::Ready(answer) => answer,
                        Poll::Pending => follower.finish_within(AT_ONCE),
                    };
                    assert_eq!(answer, x + 1, "{}", place.name());
                },
            );
        }
    }
}

#[test]
fn a_follower_dropped_at_any_point_disturbs_nobody() {
    let _alone = alone();
    for place in [Place::memory().hesitant(), Place::disk().hesitant()] {
        let cache = place.register("dropped");
        for times in 1..20 {
            let mut leader = Driven::new(slow(times));
            // It leads, and its body runs.
            assert!(leader.poll_times(MANY.min(7)).is_pending());
            let mut follower = Driven::new(slow(times));
            let _ = follower.poll_times(usize::try_from(times).unwrap());
            drop(follower);
            assert_eq!(leader.finish_within(AT_ONCE), times + 1);
        }
        assert_eq!(cache.stats().computed, 19, "{}", place.name());
    }
}

static HELD: Gate = Gate::new();

#[cached(cache = "dropped", name = "held", timeout = 60)]
async fn held(x: u64) -> u64 {
    HELD.pass_async().await;
    x + 1
}

#[cached(cache = "elsewhere", name = "held", timeout = 60)]
async fn held_elsewhere(x: u64) -> u64 {
    HELD.pass_async().await;
    x + 1
}

#[test]
fn a_call_dropped_while_it_waits_for_another_process_leaves_those_behind_it_waiting() {
    let _alone = alone();
    for place in places() {
        place.register("dropped");
        place.register("elsewhere");
        for times in 1..16 {
            HELD.reset();
            HELD.close();
            let x = times as u64;
            let mut holder = Driven::new(held_elsewhere(x));
            assert!(holder.poll_times(MANY).is_pending());
            assert_eq!(HELD.running(), 1);
            let mut waiting = Driven::new(held(x));
            assert!(waiting.poll_times(times).is_pending());
            let mut behind = Driven::new(held(x));
            assert!(behind.poll_times(MANY).is_pending());
            drop(waiting);
            assert!(behind.poll_times(MANY).is_pending());
            assert_eq!(HELD.runs(), 1, "it waits for the holder, as the one before it did");
            // Every other time the holder goes away as well.
            let runs = if times % 2 == 0 {
                drop(holder);
                HELD.open();
                2
            } else {
                HELD.open();
                assert_eq!(holder.finish_within(AT_ONCE), x + 1);
                1
            };
            assert_eq!(behind.finish_within(AT_ONCE), x + 1, "{}", place.name());
            assert_eq!(HELD.runs(), runs, "{}", place.name());
        }
    }
}

static FAILING: Gate = Gate::new();

/// How the first run goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Panic,
    Error,
}

fn fail_first(run: usize, x: u64, by_error: bool) -> Result<u64, String> {
    match (run, by_error) {
        (1, false) => panic!("the first run panics, as it should"),
        (1, true) => Err("the first run fails".to_owned()),
        _ => Ok(x),
    }
}

#[cached(cache = "dropped", name = "failing", timeout = 60, skip(by_error))]
fn failing(x: u64, by_error: bool) -> Result<u64, String> {
    fail_first(FAILING.pass(), x, by_error)
}

#[cached(cache = "dropped", name = "failing", timeout = 60, skip(by_error))]
async fn failing_async(x: u64, by_error: bool) -> Result<u64, String> {
    fail_first(FAILING.pass_async().await, x, by_error)
}

#[cached(cache = "elsewhere", name = "failing", timeout = 60, skip(by_error))]
async fn failing_elsewhere(x: u64, by_error: bool) -> Result<u64, String> {
    fail_first(FAILING.pass_async().await, x, by_error)
}

/// Two followers here and one elsewhere wait for a leader that `lead` runs to its bad end.
fn fail_before_others(place: &Place, how: How, lead: impl FnOnce(u64, bool)) {
    let by_error = how == How::Error;
    place.register("dropped");
    place.register("elsewhere");
    failing::invalidate_all().wait().unwrap();
    FAILING.reset();
    FAILING.close();
    thread::scope(|scope| {
        // The gate is opened when all the others wait.
        let others = scope.spawn(|| {
            wait_until("the leader runs", || FAILING.running() == 1);
            let mut here = [0, 1].map(|_| Driven::new(failing_async(7, by_error)));
            let mut elsewhere = Driven::new(failing_elsewhere(7, by_error));
            assert!(here.iter_mut().all(|follower| follower.poll_times(MANY).is_pending()));
            assert!(elsewhere.poll_times(MANY).is_pending());
            assert_eq!(FAILING.runs(), 1, "they wait");
            FAILING.open();
            let here = here.map(|follower| follower.finish_within(AT_ONCE));
            (here, elsewhere.finish_within(AT_ONCE))
        });
        lead(7, by_error);
        let (here, elsewhere) = others.join().unwrap();
        let about = (place.name(), how);
        match how {
            How::Panic => assert!(here.iter().all(Result::is_ok), "{about:?} {here:?}"),
            How::Error => assert!(here.iter().all(Result::is_err), "{about:?} {here:?}"),
        }
        assert!(elsewhere.is_ok(), "{about:?}");
    });
    let came = Instant::now();
    assert!(failing(7, by_error).is_ok());
    assert!(failing(8, by_error).is_ok());
    assert!(came.elapsed() < AT_ONCE);
}

#[test]
fn a_sync_leader_that_panics_or_fails_lets_all_others_go_on() {
    let _alone = alone();
    for place in places() {
        for how in [How::Panic, How::Error] {
            fail_before_others(&place, how, |x, by_error| {
                let ended = panic::catch_unwind(|| failing(x, by_error));
                assert_eq!(ended.is_err(), how == How::Panic);
            });
        }
    }
}

#[test]
fn an_async_leader_that_panics_or_fails_lets_all_others_go_on() {
    let _alone = alone();
    for place in places() {
        for how in [How::Panic, How::Error] {
            fail_before_others(&place, how, |x, by_error| {
                let leader = AssertUnwindSafe(|| block_on(failing_async(x, by_error)));
                let ended = panic::catch_unwind(leader);
                assert_eq!(ended.is_err(), how == How::Panic);
            });
        }
    }
}

#[test]
fn a_task_that_is_aborted_lets_its_followers_go_on() {
    let _alone = alone();
    for place in places() {
        place.register("dropped");
        HELD.reset();
        HELD.close();
        block_on(async {
            let leader = tokio::spawn(held(1));
            while HELD.running() == 0 {
                tokio::task::yield_now().await;
            }
            let follower = tokio::spawn(held(1));
            tokio::task::yield_now().await;
            leader.abort();
            assert!(leader.await.is_err_and(|error| error.is_cancelled()));
            HELD.open();
            let answer = tokio::time::timeout(AT_ONCE, follower).await;
            assert_eq!(answer.expect("in time").unwrap(), 2, "{}", place.name());
        });
        assert_eq!(HELD.runs(), 2);
    }
}

#[cached(cache = "dropped", timeout = Duration::ZERO)]
async fn never_kept(x: u64) -> u64 {
    hesitate().await;
    x + 1
}

#[test]
fn a_dropped_call_that_is_not_stored_leaves_the_next_caller_free() {
    let _alone = alone();
    for place in places() {
        place.register("dropped");
        drop_at_every_point(
            never_kept,
            |_| (),
            |x, ()| {
                assert_eq!(Driven::new(never_kept(x)).finish_within(AT_ONCE), x + 1);
            },
        );
    }
}
