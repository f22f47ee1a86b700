//! Turns a form into a shape, and says what is amiss where it does not fit, once.
//!
//! `Fit(form).shared()` is the method of the type itself if the answer satisfies what it must. Else,
//! with [`UnfitToShare`] in scope, it is that trait's, whose own bound then fails, with the message of
//! [`Shareable`], and whose result is of use to the rest of the expansion: nothing else fails.

use super::{
    Decode, Encode, Form, HasErrors, HasNones, Keepable, Local, Shape, Shareable, Shared,
    SharedError,
};
use crate::Error;

/// A form that is to become a shape.
#[derive(Clone, Copy, Debug)]
pub struct Fit<F>(pub F);

impl<F: Form> Fit<F> {
    /// The form itself, of which a `None` must be told.
    #[must_use]
    pub fn telling_nones(self) -> Self
    where
        F: HasNones,
    {
        self
    }
}

impl<F: Form<Stored: Shareable>> Fit<F> {
    /// The shape of an answer that can be shared with other processes.
    #[must_use]
    pub fn shared(self) -> Shared<F> {
        Shared(self.0)
    }
}

/// It cannot, which is an error where the method is called.
pub trait UnfitToShare<F: Form> {
    /// Stands in for the shape.
    fn shared(self) -> Misfit<F>
    where
        F::Stored: Shareable;
}

impl<F: Form> UnfitToShare<F> for Fit<F> {
    fn shared(self) -> Misfit<F>
    where
        F::Stored: Shareable,
    {
        Misfit(self.0)
    }
}

impl<F: Form<Stored: Keepable>> Fit<F> {
    /// The shape of an answer that can be kept in this process.
    #[must_use]
    pub fn local(self) -> Local<F> {
        Local(self.0)
    }
}

/// It cannot, which is an error where the method is called.
pub trait UnfitToKeep<F: Form> {
    /// Stands in for the shape.
    fn local(self) -> Misfit<F>
    where
        F::Stored: Keepable;
}

impl<F: Form> UnfitToKeep<F> for Fit<F> {
    fn local(self) -> Misfit<F>
    where
        F::Stored: Keepable,
    {
        Misfit(self.0)
    }
}

impl<F: HasErrors> Fit<F> {
    /// The form of a `Result` that stores errors too.
    #[must_use]
    pub fn with_errors(self) -> Fit<F::Failing> {
        Fit(self.0.with_errors())
    }
}

/// It is no `Result`, which is an error where the method is called.
pub trait UnfitToFail<F: Form> {
    /// Stands in for the form.
    fn with_errors(self) -> Fit<F>
    where
        F: HasErrors;
}

impl<F: Form> UnfitToFail<F> for Fit<F> {
    fn with_errors(self) -> Self
    where
        F: HasErrors,
    {
        self
    }
}

/// Stands in for the shape of an answer that cannot be cached, in programs that do not compile.
#[derive(Clone, Copy, Debug)]
pub struct Misfit<F>(F);

impl<F: Form> Shape for Misfit<F> {
    type Answer = F::Answer;
    type Stored = ();

    const LOCAL: bool = true;

    fn stored<'a>(&self, _: &'a Self::Answer) -> Option<&'a ()> {
        None
    }

    fn answer(&self, (): ()) -> Self::Answer {
        unreachable!("it stores nothing")
    }

    fn is_err(&self, answer: &Self::Answer) -> bool {
        self.0.is_err(answer)
    }

    fn is_none(&self, answer: &Self::Answer) -> bool {
        self.0.is_none(answer)
    }

    fn share_error(&self, _: &Self::Answer) -> Option<SharedError> {
        None
    }

    fn answer_of_error(&self, _: &SharedError) -> Option<Self::Answer> {
        None
    }

    fn encode<E: Encode>(&self, (): &(), _: E) -> Option<E::Output> {
        None
    }

    fn decode<D: Decode>(_: D) -> Option<Result<(), Error>> {
        None
    }
}
