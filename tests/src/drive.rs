//! Futures polled by hand, so that a test can stop them at any point where they wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a future that has not been woken is given before it counts as waiting for something
/// that the test has to do.
const IDLE: Duration = Duration::from_millis(20);

/// A future that is polled when the test says so. Dropping it drops the future where it stands.
pub struct Driven<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    woken: Arc<Woken>,
    waker: Waker,
}

struct Woken {
    thread: Thread,
    flag: AtomicBool,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.flag.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl<'a, T> Driven<'a, T> {
    /// The future, not polled yet.
    pub fn new(future: impl Future<Output = T> + 'a) -> Self {
        let woken = Arc::new(Woken { thread: thread::current(), flag: AtomicBool::new(true) });
        Self { future: Box::pin(future), waker: Waker::from(Arc::clone(&woken)), woken }
    }

    /// Polls it so many times, each time when it has been woken; less often if it waits for something
    /// that does not come.
    pub fn poll_times(&mut self, times: usize) -> Poll<T> {
        for _ in 0..times {
            if !self.is_woken_within(IDLE) {
                return Poll::Pending;
            }
            if let Poll::Ready(output) = self.poll() {
                return Poll::Ready(output);
            }
        }
        Poll::Pending
    }

    /// Polls it to its end.
    ///
    /// # Panics
    ///
    /// If it does not end within `limit`.
    #[allow(clippy::must_use_candidate)] // that it ends may be all that is asked
    pub fn finish_within(mut self, limit: Duration) -> T {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(self.is_woken_within(left), "it did not end within {limit:?}");
            if let Poll::Ready(output) = self.poll() {
                return output;
            }
        }
    }

    fn poll(&mut self) -> Poll<T> {
        self.woken.flag.store(false, Ordering::Release);
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    fn is_woken_within(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while !self.woken.flag.load(Ordering::Acquire) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::park_timeout(left);
        }
        true
    }
}

impl<T> fmt::Debug for Driven<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driven").field("woken", &self.woken.flag).finish_non_exhaustive()
    }
}

/// Runs a future to its end on a current-thread runtime of its own, with timers.
///
/// # Panics
///
/// If the operating system gives no runtime.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime").block_on(future)
}

/// Runs a future to its end on a runtime without timers or I/O; nothing of keyedcache needs them.
///
/// # Panics
///
/// If the future wants one of them.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("without drivers it takes nothing of the system").block_on(future)
}

/// Waits once, and is woken at once.
pub async fn hesitate() {
    let mut hesitated = false;
    std::future::poll_fn(|context| {
        if hesitated {
            return Poll::Ready(());
        }
        hesitated = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
