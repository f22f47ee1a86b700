//! Threads for users' functions that run away from their callers.
//!
//! - They outlive every runtime, and are within none but that of whoever sent the work. Those that
//!   [`background`](super::background) has for what blocks would not do: a function would find itself
//!   within the crate's own runtime, and have its one thread run what it spawns; and host names are
//!   looked up there, which functions that hang must not be in the way of.
//! - There are at most so many; what comes then waits for its turn. Who has had nothing to do for some
//!   time ends.

use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::oneshot::{self, Receiver};

use super::around;

/// As many as Tokio has for what blocks.
const MOST: usize = 512;

const IDLE: Duration = Duration::from_secs(10);

/// Runs `work` on a thread of the crate's own, within the runtime of whoever calls, if there is one;
/// what it answers comes, or what it panics with.
///
/// # Panics
///
/// If the operating system refuses the first thread.
pub(crate) fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Receiver<thread::Result<T>> {
    static THREADS: Threads = Threads::new(MOST, IDLE);
    THREADS.send(work)
}

type Work = Box<dyn FnOnce() + Send>;

struct Threads {
    most: usize,
    idle: Duration,
    state: Mutex<State>,
    more: Condvar,
}

struct State {
    queue: VecDeque<Work>,
    all: usize,
    idle: usize,
}

impl Threads {
    const fn new(most: usize, idle: Duration) -> Self {
        let state = State { queue: VecDeque::new(), all: 0, idle: 0 };
        Self { most, idle, state: Mutex::new(state), more: Condvar::new() }
    }

    fn send<T: Send + 'static>(
        &'static self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Receiver<thread::Result<T>> {
        let here = around();
        let (tell, told) = oneshot::channel();
        self.enqueue(Box::new(move || {
            let _here = here.as_ref().map(Handle::enter);
            let done = catch_unwind(AssertUnwindSafe(work));
            drop(tell.send(done)); // nobody may be waiting any more
        }));
        told
    }

    fn enqueue(&'static self, work: Work) {
        let mut state = self.state.lock();
        state.queue.push_back(work);
        if state.idle >= state.queue.len() {
            self.more.notify_one();
        } else if state.all < self.most {
            state.all += 1;
            drop(state);
            self.start();
        }
    }

    fn start(&'static self) {
        let thread = thread::Builder::new().name("keyedcache-body".into());
        let Err(error) = thread.spawn(|| self.serve()) else { return };
        let mut state = self.state.lock();
        state.all -= 1;
        // Those that there are come to it.
        let unserved = if state.all == 0 { mem::take(&mut state.queue) } else { VecDeque::new() };
        drop(state);
        assert!(unserved.is_empty(), "the operating system gives no thread for a body: {error}");
    }

    fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            while let Some(work) = state.queue.pop_front() {
                // It may also panic where it drops what nobody waits for.
                MutexGuard::unlocked(&mut state, || drop(catch_unwind(AssertUnwindSafe(work))));
            }
            state.idle += 1;
            let was_long = self.more.wait_for(&mut state, self.idle).timed_out();
            state.idle -= 1;
            if was_long && state.queue.is_empty() {
                state.all -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread::ThreadId;
    use std::time::Instant;

    use tokio::runtime::Builder;

    use super::super::{background, timeout, wait};
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// What could hang fails in time.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn threads(most: usize, idle: Duration) -> &'static Threads {
        Box::leak(Box::new(Threads::new(most, idle)))
    }

    fn run<T: Send + 'static>(
        threads: &'static Threads,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        wait(timeout(PATIENCE, threads.send(work))).expect("it hangs").unwrap().unwrap()
    }

    fn until(thing: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !thing() {
            assert!(Instant::now() < deadline, "it does not come to be");
            thread::yield_now();
        }
    }

    fn id() -> ThreadId {
        thread::current().id()
    }

    #[test]
    fn work_is_within_the_runtime_of_whoever_sent_it_or_none() {
        let found = || Handle::try_current().ok().map(|handle| handle.id());
        assert_eq!(wait(on_a_thread(found)).unwrap().unwrap(), None);
        let own = Builder::new_current_thread().build().unwrap();
        let told = own.block_on(async { on_a_thread(found).await });
        assert_eq!(told.unwrap().unwrap(), Some(own.handle().id()));
        let _inside = background().enter();
        assert_eq!(wait(on_a_thread(found)).unwrap().unwrap(), None);
    }

    #[test]
    fn work_that_hangs_leaves_room_for_looking_up_names() {
        let (go_on, hold) = mpsc::channel::<()>();
        let hold = Arc::new(Mutex::new(hold));
        let hung: Vec<_> = (0..MOST)
            .map(|_| Arc::clone(&hold))
            .map(|hold| on_a_thread(move || _ = hold.lock().recv()))
            .collect();
        // As Tokio looks up names.
        let looked_up = background().spawn_blocking(|| ());
        wait(timeout(PATIENCE, looked_up)).expect("it hangs").unwrap();
        drop(go_on);
        for work in hung {
            wait(work).unwrap().unwrap();
        }
    }

    #[test]
    fn a_thread_that_idles_is_used_again() {
        let threads = threads(8, HOUR);
        let first = run(threads, id);
        for _ in 0..3 {
            until(|| threads.state.lock().idle == 1);
            assert_eq!(run(threads, id), first);
        }
        assert_eq!(threads.state.lock().all, 1);
    }

    #[test]
    fn a_thread_that_has_idled_for_long_ends() {
        let threads = threads(8, Duration::ZERO);
        run(threads, || ());
        until(|| threads.state.lock().all == 0);
        run(threads, || ());
    }

    #[test]
    fn work_beyond_the_most_threads_waits_for_its_turn() {
        let threads = threads(2, HOUR);
        let (go_on, hold) = mpsc::channel::<()>();
        let hold = Arc::new(Mutex::new(hold));
        let all: Vec<_> = (0..8)
            .map(|number| (number, Arc::clone(&hold)))
            .map(|(number, hold)| {
                threads.send(move || {
                    let _ = hold.lock().recv();
                    number
                })
            })
            .collect();
        assert_eq!(threads.state.lock().all, 2);
        drop(go_on);
        let numbers: Vec<_> = all.into_iter().map(|work| wait(work).unwrap().unwrap()).collect();
        assert_eq!(numbers, (0..8).collect::<Vec<_>>());
        assert_eq!(threads.state.lock().all, 2);
    }

    #[test]
    fn a_panic_comes_to_whoever_waits_and_ends_no_thread() {
        struct PanicsLast;
        impl Drop for PanicsLast {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let threads = threads(1, HOUR);
        let panic = wait(threads.send(|| panic!("it fails"))).unwrap().unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"it fails"));
        let (go_on, hold) = mpsc::channel::<()>();
        drop(threads.send(move || {
            let _ = hold.recv();
            PanicsLast
        }));
        drop(go_on); // when its answer is nobody's any more
        assert_eq!(run(threads, || 7), 7);
    }
}
