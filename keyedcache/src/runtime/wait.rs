//! Waiting on a thread for what is async, anywhere, and knowing for whom that would never end.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread, ThreadId};

use tokio::runtime::{Handle, RuntimeFlavor};

thread_local! {
    /// What tells the waker of the [`wait`] that polls on this thread; null outside of any.
    static WAITING: Cell<*const ()> = const { Cell::new(ptr::null()) };
}

/// Drives `future` to its end on this thread.
///
/// Polled once in place, with nothing to be woken by, since near and disk reads are ready at once;
/// otherwise polled again and, between polls, the thread parks.
/// A worker of a multi-thread runtime hands its other tasks over first.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    // A task's budget is given back when its poll ends, and this one does not while we park: once it
    // is used up nothing would ever be ready again.
    let mut future = pin!(tokio::task::unconstrained(future));
    {
        let _waiting = Waiting::with(&NOBODY);
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&NOBODY)) {
            return output;
        }
    }
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    let _waiting = Waiting::with(&waker);
    let mut park = move || {
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            while !unpark.woken.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
    };
    if on_worker() { tokio::task::block_in_place(park) } else { park() }
}

/// What is ready at the first poll is never woken: no waker need be made for it.
static NOBODY: LazyLock<Waker> = LazyLock::new(|| {
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    Waker::from(Arc::new(Nobody))
});

/// Until it is dropped, the innermost [`wait`] of this thread is that of one waker.
struct Waiting {
    outer: *const (),
}

impl Waiting {
    fn with(waker: &Waker) -> Self {
        Self { outer: WAITING.replace(waker.data()) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.set(self.outer);
    }
}

/// The flag is more than the park token, which whatever the poll itself waits for may use up.
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Whether this thread is a worker of a multi-thread runtime, whose tasks can move elsewhere.
///
/// A thread inside such a runtime's `block_on` (so a `LocalSet`'s) is not: its tasks cannot move,
/// and `block_in_place` would panic there.
fn on_worker() -> bool {
    tokio::runtime::worker_index().is_some()
        && Handle::try_current()
            .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// The runtime that whoever runs on this thread is within; `None` outside of all runtimes, and on the
/// crate's own, which is nobody else's.
pub(crate) fn around() -> Option<Handle> {
    Handle::try_current().ok().filter(|handle| handle.id() != super::background().id())
}

/// The runtime that whoever is polled on this thread can have work for it while it waits.
///
/// `None` within a [`wait`], during which that runtime may have no thread left, and where there is
/// none [`around`].
#[cfg(feature = "redis")]
pub(crate) fn host() -> Option<Handle> {
    if WAITING.get().is_null() { around() } else { None }
}

/// Where a computation is led from, to tell who would wait for itself by waiting for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    thread: ThreadId,
    task: Option<tokio::task::Id>,
    asynchronous: bool,
}

impl Place {
    /// Where the future that awaits this is polled: in async code, or by [`wait`] in sync code.
    ///
    /// It is known by the waker and only at the poll: a request is made in one place and may be
    /// awaited in another, and either awaited or waited for.
    pub(crate) async fn here() -> Self {
        poll_fn(|context| {
            let is_waited_for = ptr::eq(context.waker().data(), WAITING.get());
            Poll::Ready(Self {
                thread: thread::current().id(),
                task: tokio::task::try_id(),
                asynchronous: !is_waited_for,
            })
        })
        .await
    }

    /// Whether blocking here could keep the computation led at `leader` from going on.
    ///
    /// Async code led on this thread needs this thread, unless this is a worker whose other tasks
    /// move on; and async code of this very task never moves while the task blocks.
    pub(crate) fn would_block(self, leader: Self) -> bool {
        if self.asynchronous || !leader.asynchronous {
            return false;
        }
        let same_task = self.task.is_some() && self.task == leader.task;
        same_task || (self.thread == leader.thread && !on_worker())
    }
}
