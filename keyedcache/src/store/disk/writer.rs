//! The writer: one thread a process on which every write transaction runs.
//!
//! LMDB lets one transaction write at a time, over all processes, and offers no wait with an end: a
//! process stopped inside one would stop every thread that wants to write. So only this thread
//! waits, and the callers wait for it as long as they like.
//!
//! - What has queued up while another wrote goes into one transaction; each operation is whole or
//!   not at all, and is answered after the commit.
//! - If anything fails, the transaction is aborted and each operation tried on its own, so none pays
//!   for its neighbours.
//! - An operation whose caller has gone, or has given up, before it was begun is never begun.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::cull::{self, Room};
use super::fault;
use super::opening::Opening;
use super::ring;
use super::writing::{Outcome, Writing};
use crate::error::{Error, ErrorKind};
use crate::runtime::timeout;

/// How many operations, and of how many bytes, share a transaction.
const OPERATIONS_AT_ONCE: usize = 64;
const BYTES_AT_ONCE: usize = 8 << 20;

/// How long the writer and its callers stay awake for one another, and for how many bytes at most.
const WRITER_STAYS: Duration = Duration::from_micros(50);
const CALLER_STAYS: Duration = Duration::from_micros(20);
const SOON_WRITTEN: usize = 16 << 10;

/// How often one operation is tried when there is no room for it.
const ATTEMPTS: u32 = 4;

/// What the writer has to know of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// What it is called in messages.
    pub(super) operation: &'static str,
    /// How many bytes it may store; `None` if it removes, and may use the room kept for that.
    pub(super) bytes: Option<usize>,
}

impl Request {
    /// An operation that stores `bytes`.
    pub(super) fn storing(operation: &'static str, bytes: usize) -> Self {
        Self { operation, bytes: Some(bytes) }
    }

    /// An operation that removes, or changes in place.
    pub(super) fn removing(operation: &'static str) -> Self {
        Self { operation, bytes: None }
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
struct Caller(Arc<Progress>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.leave(Progress::CALLED_OFF);
    }
}

trait Job: Send {
    fn request(&self) -> Request;
    /// Whether it is to be done: its caller is still there.
    fn begin(&self) -> bool;
    fn run(&mut self, writing: &mut Writing<'_>) -> heed::Result<()>;
    fn finish(self: Box<Self>, outcome: Result<(), Error>);
}

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
///
/// Waking a thread takes longer than a write does. So the writer stays awake for a moment after it
/// has written, and whoever writes meanwhile stays for its answer, which comes within microseconds.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    /// How many jobs are queued.
    length: AtomicUsize,
    /// Whether the writer would see a job without being woken.
    is_awake: AtomicBool,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn Job>>,
    is_closed: bool,
}

impl Queue {
    fn push(&self, job: Box<dyn Job>) {
        let mut state = self.state.lock();
        if !state.is_closed {
            state.jobs.push_back(job);
            self.length.store(state.jobs.len(), Ordering::Release);
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Whether what is pushed now is the next to be written, without anybody being woken for it.
    fn is_at_once(&self) -> bool {
        self.is_awake.load(Ordering::Acquire) && self.length.load(Ordering::Acquire) == 0
    }

    /// Ends the writer when it has written what is queued.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.filled.notify_one();
    }

    /// Waits for something to write; `false` at the end.
    fn wait(&self) -> bool {
        let start = Instant::now();
        while self.length.load(Ordering::Acquire) == 0 && start.elapsed() < WRITER_STAYS {
            std::thread::yield_now();
        }
        let mut state = self.state.lock();
        self.is_awake.store(!state.jobs.is_empty(), Ordering::Release);
        while state.jobs.is_empty() {
            if state.is_closed {
                return false;
            }
            self.filled.wait(&mut state);
        }
        self.is_awake.store(true, Ordering::Release);
        true
    }

    /// What goes into the next transaction.
    fn take(&self) -> Vec<Box<dyn Job>> {
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

impl Opening {
    /// Has `body` run in a write transaction, perhaps several times, of which one is committed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if it was not begun within `store_timeout` and never will be;
    /// [`ErrorKind::OutcomeUnknown`] if it was begun and not answered.
    pub(super) async fn write<T, F>(&self, request: Request, body: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Writing<'_>) -> Outcome<T> + Send + 'static,
    {
        let operation = request.operation;
        self.check(operation)?;
        let (reply, mut answer) = oneshot::channel();
        let progress = Arc::new(Progress(AtomicU8::new(Progress::QUEUED)));
        let caller = Caller(Arc::clone(&progress));
        let is_at_once = self.queue.is_at_once();
        self.queue.push(Box::new(Task { request, body, answer: None, reply, progress }));
        if is_at_once && request.bytes.is_none_or(|bytes| bytes <= SOON_WRITTEN) {
            let start = Instant::now();
            while start.elapsed() < CALLER_STAYS {
                if let Ok(answer) = answer.try_recv() {
                    return answer;
                }
                std::hint::spin_loop();
            }
        }
        if let Some(Ok(answer)) = timeout(self.store_timeout, answer).await {
            return answer;
        }
        Err(if caller.0.leave(Progress::CALLED_OFF) {
            let message = "another process has been writing for all of store_timeout; the \
                           operation was not begun and will not be";
            self.refusal(ErrorKind::Timeout, operation, message)
        } else {
            let message = "the operation was begun and not answered within store_timeout";
            self.refusal(ErrorKind::OutcomeUnknown, operation, message)
        })
    }
}

/// Writes what is queued until the queue is closed.
pub(super) fn run(opening: &Opening) {
    let mut writer = Writer { opening, room: opening.room() };
    while opening.queue.wait() {
        writer.serve();
    }
}

struct Writer<'o> {
    opening: &'o Opening,
    room: Room,
}

impl Writer<'_> {
    /// Writes what is queued, once it is this process's turn.
    fn serve(&mut self) {
        // First the turn, then the queue: what is called off while waiting is never begun, and what
        // comes meanwhile is taken along.
        let turn = Writing::begin(self.opening);
        let mut jobs = self.opening.queue.take();
        if jobs.is_empty() {
            return;
        }
        let written = match turn {
            Ok(writing) if self.room.admits(self.opening) => {
                self.attempt(writing, &mut jobs).is_ok()
            }
            // Given up here: a thread that begins again while it writes waits for itself.
            Ok(writing) => {
                drop(writing);
                false
            }
            Err(_) => false,
        };
        for job in jobs {
            if written {
                job.finish(Ok(()));
            } else {
                self.alone(job);
            }
        }
    }

    /// Writes one operation, making room for it if need be.
    fn alone(&mut self, mut job: Box<dyn Job>) {
        let Request { operation, bytes } = job.request();
        if bytes.is_some() && !self.is_admitted() {
            let message = "there is no room left, and what is removed stays in use: something has \
                           been reading for long; end it, or raise the size limit";
            let error = self.opening.refusal(ErrorKind::Full, operation, message);
            return job.finish(Err(error));
        }
        let mut attempt = 1;
        loop {
            let tried = Writing::begin(self.opening)
                .and_then(|writing| self.attempt(writing, std::slice::from_mut(&mut job)));
            match tried {
                Ok(()) => return job.finish(Ok(())),
                Err(error) if fault::is_full(&error, self.opening.path()) && attempt < ATTEMPTS => {
                    // What goes wrong here goes wrong again in the next attempt, which tells it.
                    let _ = self.make_room((bytes.unwrap_or(0) as u64) << attempt);
                    attempt += 1;
                }
                Err(error) => return job.finish(Err(self.opening.fault(operation, error))),
            }
        }
    }

    /// Whether there may be room for what stores; looks for some now and then while there is none.
    fn is_admitted(&mut self) -> bool {
        if !self.room.admits(self.opening) && self.room.may_probe() {
            // What goes wrong here leaves things as they are: nothing is admitted.
            let _ = self.probe();
        }
        self.room.admits(self.opening)
    }

    fn probe(&mut self) -> heed::Result<()> {
        self.opening.env.clear_stale_readers()?;
        let mut writing = Writing::begin(self.opening)?;
        Room::probe(&mut writing)?;
        self.commit(writing)
    }

    /// Runs the jobs in one transaction and commits it; nothing is told to their callers yet.
    fn attempt(&mut self, mut writing: Writing<'_>, jobs: &mut [Box<dyn Job>]) -> heed::Result<()> {
        for job in &mut *jobs {
            job.run(&mut writing)?;
        }
        if jobs.iter().any(|job| job.request().bytes.is_some()) {
            self.room.cull(&mut writing)?;
        }
        self.commit(writing)
    }

    /// Makes room by removing records.
    fn make_room(&mut self, bytes: u64) -> heed::Result<()> {
        self.opening.env.clear_stale_readers()?;
        let mut writing = Writing::begin(self.opening)?;
        self.room.make(&mut writing, bytes)?;
        self.commit(writing)?;
        // What one transaction frees is used again by the second one after it.
        self.probe()
    }

    fn commit(&mut self, mut writing: Writing<'_>) -> heed::Result<()> {
        let opening = self.opening;
        if writing.stored() > 0 {
            ring::trim(&mut writing)?;
        }
        let transaction = writing.transaction();
        let before = cull::last_page(opening);
        let changes = writing.commit()?;
        if opening.env.info().last_txn_id as u64 >= transaction {
            self.room.learn(before, opening);
            opening.ring.committed(opening, transaction, &changes);
            opening.waiters.look();
        }
        Ok(())
    }
}
