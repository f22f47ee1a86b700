//! The private background runtime, and time for futures that are polled anywhere.
//!
//! - Callers may have no runtime, or one that ends before the crate's connections and timers do; so
//!   these live on a runtime of the crate's own, started at first need and never stopped. What serves
//!   one runtime's callers only may live there and end with it.
//! - Its one thread runs what must not block: timers and network I/O, never a user's function.

#[cfg(feature = "redis")]
mod sockets;
mod threads;
mod wait;

#[cfg(feature = "redis")]
pub(crate) use sockets::{drives_sockets, may_drive_sockets};
pub(crate) use threads::on_a_thread;
#[cfg(feature = "redis")]
pub(crate) use wait::host;
pub(crate) use wait::{Place, around, is_thread_ending, wait};

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::time::Sleep;

/// The runtime that outlives all others; started by the first call.
///
/// # Panics
///
/// If the operating system refuses a thread or, where networking is compiled in, a poller.
pub(crate) fn background() -> &'static Handle {
    static HANDLE: OnceLock<Handle> = OnceLock::new();
    HANDLE.get_or_init(start)
}

fn start() -> Handle {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the operating system gives a runtime its poller");
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("keyedcache".into())
        .spawn(move || runtime.block_on(pending::<()>()))
        .expect("the operating system gives the background thread");
    handle
}

/// The moment after `duration`, or one that nobody lives to see.
pub(crate) fn after(duration: Duration) -> Instant {
    const AGES: Duration = Duration::from_hours(24 * 365 * 30);
    Instant::now() + duration.min(AGES)
}

/// Returns after `duration`; may be polled on any thread, inside any runtime or none.
pub(crate) async fn sleep(duration: Duration) {
    timer_until(after(duration)).await;
}

fn timer_until(end: Instant) -> Sleep {
    let make = move || {
        let _inside = background().enter();
        tokio::time::sleep_until(end.into())
    };
    if is_thread_ending() {
        return thread::spawn(make).join().expect("making a timer does not panic");
    }
    make()
}

/// What `future` answers within `duration` of its first poll, or `None`.
///
/// The future is polled first and costs no timer if it is ready at once.
///
/// # Cancel safety
///
/// When time is up the future is dropped.
pub(crate) async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    timed(duration, pin!(future)).await.0
}

/// The same, and when its time is or was up; `None` if it was ready at once.
pub(crate) async fn timed<F: Future>(
    duration: Duration,
    future: F,
) -> (Option<F::Output>, Option<Instant>) {
    let mut future = pin!(future);
    let mut timer = pin!(None);
    let mut end = None;
    let answer = poll_fn(|context| {
        if let Poll::Ready(answer) = future.as_mut().poll(context) {
            return Poll::Ready(Some(answer));
        }
        let end = *end.get_or_insert_with(|| after(duration));
        if timer.is_none() {
            timer.set(Some(timer_until(end)));
        }
        let timer = timer.as_mut().as_pin_mut().expect("it has just been set");
        timer.poll(context).map(|()| None)
    })
    .await;
    (answer, end)
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[test]
    fn sleep_ends_on_a_plain_thread() {
        let start = Instant::now();
        wait(sleep(Duration::from_millis(20)));
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn sleep_ends_inside_a_runtime_without_timers() {
        let start = Instant::now();
        Builder::new_current_thread().build().unwrap().block_on(sleep(Duration::from_millis(20)));
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn timeout_answers_what_is_ready_even_with_no_time_left() {
        assert_eq!(wait(timeout(Duration::ZERO, ready(7))), Some(7));
    }

    #[test]
    fn timeout_gives_up_on_what_never_comes() {
        assert_eq!(wait(timeout(Duration::from_millis(5), pending::<u8>())), None);
    }

    #[test]
    fn timeout_outlives_the_runtime_it_was_first_polled_in() {
        let mut waiting = Box::pin(timeout(Duration::from_millis(20), pending::<u8>()));
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(poll_fn(|context| {
            assert!(waiting.as_mut().poll(context).is_pending());
            Poll::Ready(())
        }));
        drop(runtime);
        assert_eq!(wait(waiting), None);
    }

    #[test]
    fn sleep_ends_on_a_thread_that_is_about_to_end() {
        struct Sleeps;
        impl Drop for Sleeps {
            fn drop(&mut self) {
                assert!(is_thread_ending());
                wait(sleep(Duration::from_millis(20)));
            }
        }
        thread_local!(static LAST: Sleeps = const { Sleeps });
        let ends = thread::spawn(|| {
            LAST.with(|_| ()); // before Tokio's own, so that it is dropped after that
            wait(sleep(Duration::ZERO));
        });
        ends.join().unwrap();
    }

    #[test]
    fn only_runtimes_of_others_are_around() {
        let own = Builder::new_current_thread().build().unwrap();
        assert_eq!(own.block_on(async { around().map(|it| it.id()) }), Some(own.handle().id()));
        assert!(around().is_none());
        assert!(wait(background().spawn(async { around().is_none() })).unwrap());
    }

    #[test]
    fn the_background_thread_is_one_and_named() {
        let name =
            || wait(background().spawn(async { thread::current().name().map(str::to_owned) }));
        assert_eq!(name().unwrap().as_deref(), Some("keyedcache"));
        assert!(std::ptr::eq(background(), background()));
    }
}
