//! Computing away from the caller: a refresh of what was served already, or a computation that the
//! caller waits for only so long.
//!
//! - An async body is polled by its caller until time is up, and by a task of its own from then on:
//!   dropping the call before drops the body, as everywhere.
//! - A sync body runs on a thread for blocking work from the start, within the caller's runtime.
//! - Whoever computes saves, whether or not anybody still waits.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

use crate::TimedOut;
use crate::cache::{Core, Refresher, take};
use crate::flight::{self, Shared};
use crate::runtime;
use crate::shape::Shape;

use super::begun::{Begun, BegunAsync};
use super::computing::{Alone, Computing, Lead};
use super::finish::Finish;

/// The right to compute, and what the caller gets meanwhile.
#[must_use]
pub struct Away<S: Shape>(Box<Work<S>>);

enum Work<S: Shape> {
    /// The caller gets this at once.
    Refresh { answer: S::Answer, refresher: Box<Refresher>, finish: Box<Finish<S>> },
    /// The caller waits, and leads.
    Lead(Lead<S>, Patience<S>),
    /// The caller waits; nothing will be stored.
    Alone(Alone<S>, Patience<S>),
}

/// How long a caller waits, and what it gets then.
struct Patience<S> {
    end: Instant,
    shape: S,
    core: Arc<Core>,
    instead: Instead,
}

enum Instead {
    Older(Shared),
    TimedOut(TimedOut),
}

impl<S: Shape> Patience<S> {
    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// What the caller gets in place of the answer.
    fn instead(self) -> Option<S::Answer> {
        let counters = &self.core.counters;
        match self.instead {
            Instead::Older(older) => {
                counters.stale_hits.count();
                take(older).map(|stored| self.shape.answer(stored))
            }
            Instead::TimedOut(timed_out) => {
                counters.timed_out.count();
                self.shape.timed_out(timed_out)
            }
        }
    }
}

impl<S: Shape> Away<S> {
    pub(super) fn refresh(
        answer: S::Answer,
        refresher: Box<Refresher>,
        finish: Box<Finish<S>>,
    ) -> Self {
        Self(Box::new(Work::Refresh { answer, refresher, finish }))
    }

    /// What may be computed away from the caller, if time is limited; else what was begun.
    pub(super) fn or(begun: BegunAsync<S>) -> Result<BegunAsync<S>, Self> {
        match begun {
            Begun::Compute(Computing::Lead(lead)) => {
                match Patience::of(lead.finishing(), lead.older()) {
                    Some(patience) => Err(Self(Box::new(Work::Lead(lead, patience)))),
                    None => Ok(Begun::Compute(Computing::Lead(lead))),
                }
            }
            Begun::Compute(Computing::Alone(alone)) => {
                match alone.finishing().and_then(|finish| Patience::of(finish, alone.older())) {
                    Some(patience) => Err(Self(Box::new(Work::Alone(alone, patience)))),
                    None => Ok(Begun::Compute(Computing::Alone(alone))),
                }
            }
            begun @ Begun::Answer(_) => Ok(begun),
        }
    }

    /// The caller's answer, from this body if it comes in time.
    ///
    /// What goes on without the caller does so in a task of the current runtime, or on a thread of
    /// its own where there is none.
    pub async fn run<F>(self, body: Pin<Box<F>>) -> S::Answer
    where
        F: Future<Output = S::Answer> + Send + 'static,
        S::Answer: Send,
    {
        match *self.0 {
            Work::Refresh { answer, refresher, finish } => {
                go_on(async move {
                    if let Some(leader) = refresher.lease().await {
                        Lead::new(leader, finish).lead(body).await;
                    }
                });
                answer
            }
            Work::Lead(lead, patience) => patience.with(lead.lead(body)).await,
            Work::Alone(alone, patience) => {
                patience.with(async move { alone.finish(body.await) }).await
            }
        }
    }

    /// The same of a sync function.
    pub fn run_blocking<F>(self, body: F) -> S::Answer
    where
        F: FnOnce() -> S::Answer + Send + 'static,
        S::Answer: Send,
    {
        match *self.0 {
            Work::Refresh { answer, refresher, finish } => {
                refresh_blocking(refresher, finish, body);
                answer
            }
            Work::Lead(lead, patience) => patience.with_thread(move || lead.enter().finish(body())),
            Work::Alone(alone, patience) => patience.with_thread(move || alone.finish(body())),
        }
    }

    /// The same of a function whose time is not limited, and whose answer need not be `Send`.
    pub fn refresh_blocking<F>(self, body: F) -> S::Answer
    where
        F: FnOnce() -> S::Answer + Send + 'static,
    {
        match *self.0 {
            Work::Refresh { answer, refresher, finish } => {
                refresh_blocking(refresher, finish, body);
                answer
            }
            Work::Lead(lead, _) => lead.enter().finish(body()),
            Work::Alone(alone, _) => alone.finish(body()),
        }
    }
}

impl<S: Shape> Patience<S> {
    /// That of a caller that has an older answer, or none; `None` if it waits to the end.
    fn of(finish: &Finish<S>, older: Option<&Shared>) -> Option<Self> {
        let end = finish.notes().limits.end(older.is_some())?;
        let instead = match older {
            Some(older) => Instead::Older(Shared::clone(older)),
            None => Instead::TimedOut(finish.notes().timed_out()),
        };
        Some(Self { end, shape: finish.shape(), core: Arc::clone(finish.notes().core()), instead })
    }

    /// What the work answers within the time, or something else while it goes on.
    async fn with<W>(self, work: W) -> S::Answer
    where
        W: Future<Output = S::Answer> + Send + 'static,
        S::Answer: Send,
    {
        let mut work = Box::pin(work);
        if let Some(answer) = runtime::timeout(self.left(), &mut work).await {
            return answer;
        }
        match self.instead() {
            Some(answer) => {
                go_on(async move { drop(work.await) });
                answer
            }
            None => work.await,
        }
    }

    /// The same of work on a thread of its own.
    fn with_thread(self, work: impl FnOnce() -> S::Answer + Send + 'static) -> S::Answer
    where
        S::Answer: Send,
    {
        let within = flight::led_here();
        let mut working = on_a_thread(move || {
            let _within = within.enter();
            work()
        });
        if let Some(done) = runtime::wait(runtime::timeout(self.left(), &mut working)) {
            return done.unwrap_or_else(|error| died(error));
        }
        self.instead().unwrap_or_else(|| runtime::wait(working).unwrap_or_else(|error| died(error)))
    }
}

/// The body's own panic reaches its caller.
fn died(error: JoinError) -> ! {
    resume_unwind(error.into_panic())
}

fn refresh_blocking<S: Shape>(
    refresher: Box<Refresher>,
    finish: Box<Finish<S>>,
    body: impl FnOnce() -> S::Answer + Send + 'static,
) {
    drop(on_a_thread(move || {
        if let Some(leader) = runtime::wait(refresher.lease()) {
            Lead::new(leader, finish).enter().finish(body());
        }
    }));
}

/// Runs what blocks on a thread of the crate's own, which outlives the caller's runtime; the body
/// finds itself within that all the same.
fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let here = runtime::around();
    runtime::background().spawn_blocking(move || {
        let _here = here.as_ref().map(Handle::enter);
        work()
    })
}

fn go_on(work: impl Future<Output = ()> + Send + 'static) {
    match runtime::around() {
        Some(runtime) => drop(runtime.spawn(work)),
        // Not on the background thread itself, which must never run a body.
        None => drop(runtime::background().spawn_blocking(move || runtime::wait(work))),
    }
}
