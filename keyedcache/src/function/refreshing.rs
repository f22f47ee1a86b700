//! A call that is computed anew, as a future that has a name: one without would cost the compiler as
//! much as all other companions of a function together.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::cache::Boxed;
use crate::flight::LeadingBody;

use super::computing::Leads;
use super::finish::{Ended, Ends};

/// Computes an answer of type `A` by the body `F`, saves it, and gives it back.
#[must_use]
pub struct Refreshing<A, F>(Stage<A, F>);

enum Stage<A, F> {
    /// Others may have to end first.
    Beginning(Boxed<'static, Option<Box<dyn Leads<A>>>>, Pin<Box<F>>),
    Leading(Box<dyn Leads<A>>, LeadingBody<F>),
    /// Nothing will be stored.
    Alone(Pin<Box<F>>),
    Ending(Boxed<'static, Ended>, Box<dyn Ends<A>>, A),
    Over,
}

/// Nothing in it is pinned where it stands.
impl<A, F> Unpin for Refreshing<A, F> {}

impl<A, F> Refreshing<A, F> {
    pub(super) fn new(begun: Boxed<'static, Option<Box<dyn Leads<A>>>>, body: F) -> Self {
        Self(Stage::Beginning(begun, Box::pin(body)))
    }
}

impl<A, F: Future<Output = A>> Future for Refreshing<A, F> {
    type Output = A;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<A> {
        loop {
            let reached = match &mut self.0 {
                Stage::Beginning(begun, _) => {
                    let leads = ready!(begun.as_mut().poll(context));
                    let Stage::Beginning(_, body) = self.take() else { unreachable!("as matched") };
                    match leads {
                        Some(leads) => {
                            let body = LeadingBody::new(leads.flight_id(), body);
                            Stage::Leading(leads, body)
                        }
                        None => Stage::Alone(body),
                    }
                }
                Stage::Leading(_, body) => {
                    let answer = ready!(Pin::new(body).poll(context));
                    let Stage::Leading(leads, _) = self.take() else { unreachable!("as matched") };
                    let (ended, ends) = leads.end(&answer);
                    Stage::Ending(ended, ends, answer)
                }
                Stage::Alone(body) => return body.as_mut().poll(context),
                Stage::Ending(ended, ..) => {
                    let ended = ready!(ended.as_mut().poll(context));
                    let Stage::Ending(_, ends, answer) = self.take() else {
                        unreachable!("as matched")
                    };
                    return Poll::Ready(ends.ended(ended, answer));
                }
                Stage::Over => panic!("polled after it was over"),
            };
            self.0 = reached;
        }
    }
}

impl<A, F> Refreshing<A, F> {
    fn take(&mut self) -> Stage<A, F> {
        mem::replace(&mut self.0, Stage::Over)
    }
}
