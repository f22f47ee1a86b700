//! The queue: operations that wait for the writer's thread.
//!
//! An operation whose caller has gone, or has given up, before it was begun is never begun.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::writing::{Outcome, Writing};
use crate::error::Error;

/// How many operations, and of how many bytes, share a transaction.
const OPERATIONS_AT_ONCE: usize = 64;
const BYTES_AT_ONCE: usize = 8 << 20;

/// What is done on the caller's thread at most: so many bytes, or so many keys and scopes.
const BYTES_HERE: usize = 64 << 10;
const STEPS_HERE: usize = 16;

/// What the writer has to know of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// What it is called in messages.
    pub(super) operation: &'static str,
    /// How many bytes it may store; `None` if it removes, and may use the room kept for that.
    pub(super) bytes: Option<usize>,
    /// Whether it is done in microseconds, so that its caller's thread may do it.
    pub(super) is_short: bool,
}

impl Request {
    /// An operation that stores `bytes`.
    pub(super) fn storing(operation: &'static str, bytes: usize) -> Self {
        Self { operation, bytes: Some(bytes), is_short: bytes <= BYTES_HERE }
    }

    /// An operation that removes, or changes in place, what stands under so many keys or scopes.
    pub(super) fn removing(operation: &'static str, steps: usize) -> Self {
        Self { operation, bytes: None, is_short: steps <= STEPS_HERE }
    }

    /// The same, of which nobody knows how long it takes.
    pub(super) fn long(self) -> Self {
        Self { is_short: false, ..self }
    }
}

/// How far an operation has come; decides who may still call it off.
struct Progress(AtomicU8);

impl Progress {
    const QUEUED: u8 = 0;
    const BEGUN: u8 = 1;
    const CALLED_OFF: u8 = 2;

    /// Leaves the queue one way or the other; whether this was the first to say how.
    fn leave(&self, to: u8) -> bool {
        let (from, order) = (Self::QUEUED, Ordering::AcqRel);
        self.0.compare_exchange(from, to, order, Ordering::Acquire).is_ok()
    }
}

/// Calls an operation off, if it has not begun, when its caller goes.
pub(super) struct Caller(Arc<Progress>);

impl Caller {
    /// Calls the operation off; `false` if it has begun.
    pub(super) fn call_off(&self) -> bool {
        self.0.leave(Progress::CALLED_OFF)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.call_off();
    }
}

/// An operation in the queue.
pub(super) trait Job: Send {
    fn request(&self) -> Request;
    /// Whether it is to be done: its caller is still there.
    fn begin(&self) -> bool;
    fn run(&mut self, writing: &mut Writing<'_>) -> heed::Result<()>;
    fn finish(self: Box<Self>, outcome: Result<(), Error>);
}

/// Where the answer to an operation comes.
pub(super) type Answer<T> = oneshot::Receiver<Result<T, Error>>;

struct Task<T, F> {
    request: Request,
    body: F,
    answer: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
    progress: Arc<Progress>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&mut Writing<'_>) -> Outcome<T> + Send,
{
    fn request(&self) -> Request {
        self.request
    }

    fn begin(&self) -> bool {
        self.progress.leave(Progress::BEGUN)
    }

    fn run(&mut self, writing: &mut Writing<'_>) -> heed::Result<()> {
        self.answer = Some((self.body)(writing)?);
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), Error>) {
        let answer = match outcome {
            Err(error) => Err(error),
            Ok(()) => self.answer.expect("what has been committed has been run"),
        };
        // Its caller may have gone meanwhile.
        let _ = self.reply.send(answer);
    }
}

/// What is to be written.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    /// How many jobs are queued.
    length: AtomicUsize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn Job>>,
    is_closed: bool,
}

impl Queue {
    /// Queues an operation; returns where its answer comes, and what calls it off.
    pub(super) fn push<T, F>(&self, request: Request, body: F) -> (Answer<T>, Caller)
    where
        T: Send + 'static,
        F: FnMut(&mut Writing<'_>) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let progress = Arc::new(Progress(AtomicU8::new(Progress::QUEUED)));
        let caller = Caller(Arc::clone(&progress));
        let task = Task { request, body, answer: None, reply, progress };
        let mut state = self.state.lock();
        if !state.is_closed {
            state.jobs.push_back(Box::new(task));
            self.length.store(state.jobs.len(), Ordering::Release);
            drop(state);
            self.filled.notify_one();
        }
        (answer, caller)
    }

    /// Whether nothing waits for its turn.
    pub(super) fn is_empty(&self) -> bool {
        self.length.load(Ordering::Acquire) == 0
    }

    /// Ends the writer when it has written what is queued.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.filled.notify_one();
    }

    /// Waits for something to write; `false` at the end.
    pub(super) fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while state.jobs.is_empty() {
            if state.is_closed {
                return false;
            }
            self.filled.wait(&mut state);
        }
        true
    }

    /// What goes into the next transaction.
    pub(super) fn take(&self) -> Vec<Box<dyn Job>> {
        let mut state = self.state.lock();
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        while let Some(job) = state.jobs.front() {
            bytes += job.request().bytes.unwrap_or(0);
            let is_full = jobs.len() == OPERATIONS_AT_ONCE || bytes > BYTES_AT_ONCE;
            if is_full && !jobs.is_empty() {
                break;
            }
            jobs.extend(state.jobs.pop_front().filter(|job| job.begin()));
        }
        self.length.store(state.jobs.len(), Ordering::Release);
        jobs
    }
}
