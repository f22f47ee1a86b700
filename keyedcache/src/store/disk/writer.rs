//! Writing: on the caller's thread while nobody else writes, else on the writer's.
//!
//! A process stopped inside a write transaction stops every thread that waits to write. So callers'
//! threads only try for a [turn](super::turn); what gets none, or may take long, is queued, and the
//! one thread that waits is the writer's. Callers wait for it as long as they like.
//!
//! - Nothing is done on a caller's thread while something is queued, so nothing queued is overtaken
//!   for ever.
//! - What has queued up while another wrote goes into one transaction; each operation is whole or
//!   not at all, and is answered after the commit.
//! - If anything fails, the transaction is aborted and each operation tried on its own, so none pays
//!   for its neighbours.

use super::cull::{self, CULLED_AT_ONCE, CULLED_HERE, Room};
use super::fault;
use super::opening::Opening;
use super::queue::{Job, Request};
use super::turn::Turn;
use super::writing::{Outcome, Writing};
use crate::error::{Error, ErrorKind};
use crate::runtime::timeout;

/// How often one operation is tried when there is no room for it.
const ATTEMPTS: u32 = 4;

impl Opening {
    /// Has `body` run in a write transaction, perhaps several times, of which one is committed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if it was not begun within `store_timeout` and never will be;
    /// [`ErrorKind::OutcomeUnknown`] if it was begun and not answered.
    pub(super) async fn write<T, F>(&self, request: Request, mut body: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Writing<'_>) -> Outcome<T> + Send + 'static,
    {
        let operation = request.operation;
        self.check(operation)?;
        if let Some(answer) = self.write_here(request, &mut body) {
            return answer;
        }
        let (answer, caller) = self.queue.push(request, body);
        if let Some(Ok(answer)) = timeout(self.store_timeout, answer).await {
            return answer;
        }
        Err(if caller.call_off() {
            let message = "another process has been writing for all of store_timeout; the \
                           operation was not begun and will not be";
            self.refusal(ErrorKind::Timeout, operation, message)
        } else {
            let message = "the operation was begun and not answered within store_timeout";
            self.refusal(ErrorKind::OutcomeUnknown, operation, message)
        })
    }

    /// Writes on this thread, if nobody else writes; `None` if that is for the writer's thread to do,
    /// as are errors, most of which it can do something about.
    fn write_here<T>(
        &self,
        request: Request,
        body: &mut impl FnMut(&mut Writing<'_>) -> Outcome<T>,
    ) -> Option<Result<T, Error>> {
        if !request.is_short || !self.queue.is_empty() {
            return None;
        }
        let mut turn = self.turns.try_take()?;
        let stores = request.bytes.is_some();
        if stores && (turn.is_over() || !turn.admits(self)) {
            return None;
        }
        let mut answer = None;
        let written = transact(self, &mut turn, |writing, room| {
            answer = Some(body(writing)?);
            room.tidy(writing)?;
            if stores { room.cull(writing, CULLED_HERE) } else { Ok(()) }
        });
        written.ok().and(answer)
    }
}

/// Writes what is queued until the queue is closed.
pub(super) fn run(opening: &Opening) {
    while opening.queue.wait() {
        // First the turn, then the queue: what is called off while waiting is never begun, and what
        // comes meanwhile is taken along.
        let turn = opening.turns.take();
        let jobs = opening.queue.take();
        if !jobs.is_empty() {
            Writer { opening, turn }.serve(jobs);
        }
    }
}

struct Writer<'o> {
    opening: &'o Opening,
    turn: Turn<'o>,
}

impl Writer<'_> {
    fn serve(mut self, mut jobs: Vec<Box<dyn Job>>) {
        if self.turn.admits(self.opening) && self.attempt(&mut jobs).is_ok() {
            drop(self.turn);
            for job in jobs {
                job.finish(Ok(()));
            }
        } else {
            for job in jobs {
                self.alone(job);
            }
        }
    }

    /// Writes one operation, making room for it if need be.
    fn alone(&mut self, mut job: Box<dyn Job>) {
        let Request { operation, bytes, .. } = job.request();
        if bytes.is_some() && !self.is_admitted() {
            let message = "there is no room left, and what is removed stays in use: something has \
                           been reading for long; end it, or raise the size limit";
            let error = self.opening.refusal(ErrorKind::Full, operation, message);
            return job.finish(Err(error));
        }
        let mut attempt = 1;
        loop {
            match self.attempt(std::slice::from_mut(&mut job)) {
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
        if !self.turn.admits(self.opening) && self.turn.may_probe() {
            // What goes wrong here leaves things as they are: nothing is admitted.
            let _ = self.probe();
        }
        self.turn.admits(self.opening)
    }

    fn probe(&mut self) -> heed::Result<()> {
        self.opening.env.clear_stale_readers()?;
        transact(self.opening, &mut self.turn, |writing, _| Room::probe(writing))
    }

    /// Runs the jobs in one transaction and commits it; nothing is told to their callers yet.
    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> heed::Result<()> {
        transact(self.opening, &mut self.turn, |writing, room| {
            for job in &mut *jobs {
                job.run(writing)?;
            }
            room.tidy(writing)?;
            let stores = jobs.iter().any(|job| job.request().bytes.is_some());
            if stores { room.cull(writing, CULLED_AT_ONCE) } else { Ok(()) }
        })
    }

    /// Makes room by removing records.
    fn make_room(&mut self, bytes: u64) -> heed::Result<()> {
        self.opening.env.clear_stale_readers()?;
        transact(self.opening, &mut self.turn, |writing, room| room.make(writing, bytes))?;
        // What one transaction frees is used again by the second one after it.
        self.probe()
    }
}

/// Does `body` in one transaction and commits that; others are told before this returns.
fn transact(
    opening: &Opening,
    room: &mut Room,
    body: impl FnOnce(&mut Writing<'_>, &mut Room) -> heed::Result<()>,
) -> heed::Result<()> {
    let before = cull::last_page(opening);
    let write = || {
        let mut writing = Writing::begin(opening)?;
        body(&mut writing, room)?;
        writing.commit()
    };
    let written = match write() {
        Ok(written) => written,
        Err(error) => {
            room.aborted();
            return Err(error);
        }
    };
    // One that changed nothing leaves no trace.
    if opening.env.info().last_txn_id as u64 >= written.transaction {
        room.learn(before, opening);
        opening.ring.committed(opening, &written);
        opening.waiters.look();
    }
    Ok(())
}
