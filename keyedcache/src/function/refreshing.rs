//! A call that is computed anew, as a future that has a name: one without would cost the compiler as
//! much as all other companions of a function together.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::cache::Boxed;
use crate::flight::lead_in_sync;

use super::computing::Leads;
use super::finish::{Ended, Ends};

/// Computes an answer of type `A` by the body `F`, saves it, and gives it back.
///
/// It is a future whatever `F` is, so that the compiler need not find out again what it is: how it is
/// polled was noted when that was known.
#[must_use]
pub struct Refreshing<A, F> {
    body: Pin<Box<F>>,
    poll: fn(Pin<&mut F>, &mut Context<'_>) -> Poll<A>,
    stage: Stage<A>,
}

/// Who has the right to compute; `None` where nobody has.
pub(super) type Lease<A> = Option<Box<dyn Leads<A>>>;

enum Stage<A> {
    /// Others may have to end first.
    Beginning(Boxed<'static, Lease<A>>),
    Computing(Lease<A>),
    /// Of this flight.
    Ending(u64, Boxed<'static, Ended>, Box<dyn Ends<A>>, A),
    Over,
}

/// Nothing in it is pinned where it stands.
impl<A, F> Unpin for Refreshing<A, F> {}

impl<A, F: Future<Output = A>> Refreshing<A, F> {
    pub(super) fn new(begun: Boxed<'static, Lease<A>>, body: F) -> Self {
        Self { body: Box::pin(body), poll: F::poll, stage: Stage::Beginning(begun) }
    }
}

impl<A, F> Future for Refreshing<A, F> {
    type Output = A;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<A> {
        loop {
            let Self { body, poll, stage } = &mut *self;
            *stage = match stage {
                Stage::Beginning(begun) => Stage::Computing(ready!(begun.as_mut().poll(context))),
                Stage::Computing(lease) => {
                    let _within = lease.as_ref().map(|leads| lead_in_sync(leads.flight_id()));
                    let answer = ready!(poll(body.as_mut(), context));
                    let Some(leads) = lease.take() else {
                        *stage = Stage::Over;
                        return Poll::Ready(answer);
                    };
                    // What is asked of the answer, and its copies, are the user's code as the body is.
                    let flight = leads.flight_id();
                    let (ended, ends) = leads.end(&answer);
                    Stage::Ending(flight, ended, ends, answer)
                }
                Stage::Ending(flight, ended, ..) => {
                    let _within = lead_in_sync(*flight);
                    let ended = ready!(ended.as_mut().poll(context));
                    if let Stage::Ending(_, _, ends, answer) = mem::replace(stage, Stage::Over) {
                        return Poll::Ready(ends.ended(ended, answer));
                    }
                    Stage::Over
                }
                Stage::Over => panic!("polled when it was over"),
            };
        }
    }
}
