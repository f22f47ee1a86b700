//! The right to compute an answer, from when a call has begun until its body has returned.

use std::future::Future;
use std::pin::Pin;

use crate::cache::{Boxed, Leader, take};
use crate::flight::{LeadingBody, Led, Shared, lead_in_sync};
use crate::shape::Shape;

use super::finish::{Ended, Ends, Finish};

/// The caller's part: it computes, and hands the answer over.
#[must_use]
pub enum Computing<S: Shape> {
    /// For itself; nothing is stored.
    Alone(Alone<S>),
    /// For others too.
    Lead(Lead<S>),
}

impl<S: Shape> Computing<S> {
    pub(super) fn alone(finish: Box<Finish<S>>, on_error: Option<Shared>) -> Self {
        Self::Alone(Alone::new(finish, on_error))
    }

    pub(super) fn lead(leader: Box<Leader>, finish: Box<Finish<S>>) -> Self {
        Self::Lead(Lead::new(leader, finish))
    }

    /// Runs the body, and returns its answer when it is saved.
    pub async fn run<F: Future<Output = S::Answer>>(self, body: Pin<Box<F>>) -> S::Answer {
        match self {
            Self::Alone(alone) => alone.finish(body.await),
            Self::Lead(lead) => lead.lead(body).await,
        }
    }

    /// From here until [`Entered::finish`] this thread runs the body.
    pub(super) fn enter(self) -> Entered<S> {
        match self {
            Self::Alone(alone) => Entered::Alone(alone),
            Self::Lead(lead) => Entered::Lead(lead.enter()),
        }
    }
}

/// A sync body at work. Dropped, by a panic, it lets the next caller.
#[must_use]
pub enum Entered<S: Shape> {
    /// For its caller.
    Alone(Alone<S>),
    /// For others too.
    Lead(Leading<S>),
}

impl<S: Shape> Entered<S> {
    /// Returns the answer, when it is saved.
    #[inline(never)]
    pub fn finish(self, answer: S::Answer) -> S::Answer {
        match self {
            Self::Alone(alone) => alone.finish(answer),
            Self::Lead(leading) => leading.finish(answer),
        }
    }
}

/// What a caller that computes by itself falls back to; nothing where nothing hangs on it.
#[must_use]
pub struct Alone<S: Shape>(Option<Box<(Finish<S>, Option<Shared>)>>);

impl<S: Shape> Alone<S> {
    fn new(finish: Box<Finish<S>>, on_error: Option<Shared>) -> Self {
        let needed = on_error.is_some() || finish.notes().limits.end(false).is_some();
        Self(needed.then(|| Box::new((*finish, on_error))))
    }

    /// What was noted of the call, where anything hangs on it.
    pub(super) fn finishing(&self) -> Option<&Finish<S>> {
        self.0.as_deref().map(|(finish, _)| finish)
    }

    /// The older answer, if there is one.
    pub(super) fn older(&self) -> Option<&Shared> {
        self.0.as_deref().and_then(|(_, older)| older.as_ref())
    }

    /// Returns the answer, or the older one if computing failed and there is one for that.
    #[inline(never)]
    pub(super) fn finish(self, answer: S::Answer) -> S::Answer {
        match self.0.map(|both| *both) {
            Some((finish, Some(older))) if finish.shape().is_err(&answer) => {
                finish.counters().stale_hits.count();
                take(older).map_or(answer, |stored| finish.shape().answer(stored))
            }
            _ => answer,
        }
    }
}

/// The right and the duty to compute an answer. Dropped, it lets the next caller.
#[must_use]
pub struct Lead<S: Shape> {
    leader: Box<Leader>,
    finish: Box<Finish<S>>,
}

impl<S: Shape> Lead<S> {
    pub(super) fn new(leader: Box<Leader>, finish: Box<Finish<S>>) -> Self {
        Self { leader, finish }
    }

    /// What was noted of the call.
    pub(super) fn finishing(&self) -> &Finish<S> {
        &self.finish
    }

    /// The older answer, if there is one.
    pub(super) fn older(&self) -> Option<&Shared> {
        self.leader.older()
    }

    /// From here until [`Leading::finish`] this thread runs the body.
    pub(super) fn enter(self) -> Leading<S> {
        Leading { led: lead_in_sync(self.leader.flight_id()), lead: self }
    }

    /// Runs the body, saves its answer, returns it.
    pub(super) async fn lead<F: Future<Output = S::Answer>>(self, body: Pin<Box<F>>) -> S::Answer {
        let flight = self.leader.flight_id();
        let answer = LeadingBody::new(flight, body).await;
        LeadingBody::new(flight, self.finish(answer)).await
    }

    /// Boxed, and in a frame of its own, since what calls it is on the stack while the body runs.
    #[inline(never)]
    fn finish(self, answer: S::Answer) -> Pin<Box<impl Future<Output = S::Answer> + use<S>>> {
        Box::pin(self.finish.finish(self.leader, answer))
    }
}

/// The same, of whatever shape the answer is.
pub(super) trait Leads<A>: Send + Sync {
    /// Which flight it leads.
    fn flight_id(&self) -> u64;

    /// Begins to save the answer.
    fn end(self: Box<Self>, answer: &A) -> (Boxed<'static, Ended>, Box<dyn Ends<A>>);
}

impl<S: Shape> Leads<S::Answer> for Lead<S> {
    fn flight_id(&self) -> u64 {
        self.leader.flight_id()
    }

    fn end(
        self: Box<Self>,
        answer: &S::Answer,
    ) -> (Boxed<'static, Ended>, Box<dyn Ends<S::Answer>>) {
        let Self { leader, finish } = *self;
        let (ended, last) = finish.begin_end(leader, answer);
        (ended, Box::new(last))
    }
}

/// A sync body at work for others too.
#[must_use]
pub struct Leading<S: Shape> {
    led: Led,
    lead: Lead<S>,
}

impl<S: Shape> Leading<S> {
    /// Saves the answer and returns it.
    #[inline(never)]
    pub(super) fn finish(self, answer: S::Answer) -> S::Answer {
        // What is asked of the answer, and its copies, are the user's code as the body is.
        let Self { led: _within, lead: Lead { leader, finish } } = self;
        finish.finish_and_wait(leader, answer)
    }
}
