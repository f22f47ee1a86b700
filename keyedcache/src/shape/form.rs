//! The forms of answers: a plain value, an `Option`, a `Result` whose errors are not stored, and one
//! whose errors are.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::SharedError;

/// Which part of an answer would be stored. Demands nothing of the types.
pub trait Form: Copy + Send + Sync + 'static {
    /// What the function answers.
    type Answer: 'static;
    /// What would be kept of it.
    type Stored: 'static;

    /// What is to be stored of this answer.
    fn stored<'a>(&self, answer: &'a Self::Answer) -> Option<&'a Self::Stored>;

    /// The answer that was stored.
    fn answer(&self, stored: Self::Stored) -> Self::Answer;

    /// Whether the answer is an `Err`.
    fn is_err(&self, _answer: &Self::Answer) -> bool {
        false
    }

    /// Whether the answer is a `None` or an `Ok(None)`.
    fn is_none(&self, _answer: &Self::Answer) -> bool {
        false
    }

    /// The error in this answer, if it can be shared.
    fn share_error(&self, _answer: &Self::Answer) -> Option<SharedError> {
        None
    }

    /// The answer with a shared error in it.
    fn answer_of_error(&self, _error: &SharedError) -> Option<Self::Answer> {
        None
    }
}

/// A value that is stored as it is.
pub struct Plain<T>(PhantomData<fn() -> T>);

/// An `Option`: stored as it is, `None` too.
pub struct Optional<T>(PhantomData<fn() -> T>);

/// A `Result` of which only `Ok` is stored.
pub struct Fallible<T, E> {
    errors: Errors<E>,
    is_none: fn(&T) -> bool,
}

/// A `Result` of which `Err` is stored too.
pub struct Failing<T, E>(Fallible<T, E>);

/// How errors get from the one who computes to those who wait.
struct Errors<E> {
    share: fn(&E) -> Option<SharedError>,
    clone: fn(&SharedError) -> Option<E>,
}

impl<T> Plain<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Optional<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T, E> Fallible<T, E> {
    pub(super) fn new() -> Self {
        Self { errors: Errors { share: |_| None, clone: |_| None }, is_none: |_| false }
    }

    /// With errors that those who wait can have too.
    pub(super) fn sharing_errors(mut self) -> Self
    where
        E: Clone + Send + Sync + 'static,
    {
        self.errors = Errors {
            share: |error| Some(Arc::new(error.clone())),
            clone: |error| error.downcast_ref::<E>().cloned(),
        };
        self
    }
}

impl<T, E> Fallible<Option<T>, E> {
    /// With `Ok(None)` told from the other answers.
    pub(super) fn telling_nones(mut self) -> Self {
        self.is_none = Option::is_none;
        self
    }
}

impl<T: 'static> Form for Plain<T> {
    type Answer = T;
    type Stored = T;

    fn stored<'a>(&self, answer: &'a T) -> Option<&'a T> {
        Some(answer)
    }

    fn answer(&self, stored: T) -> T {
        stored
    }
}

impl<T: 'static> Form for Optional<T> {
    type Answer = Option<T>;
    type Stored = Option<T>;

    fn stored<'a>(&self, answer: &'a Option<T>) -> Option<&'a Option<T>> {
        Some(answer)
    }

    fn answer(&self, stored: Option<T>) -> Option<T> {
        stored
    }

    fn is_none(&self, answer: &Option<T>) -> bool {
        answer.is_none()
    }
}

impl<T: 'static, E: 'static> Form for Fallible<T, E> {
    type Answer = Result<T, E>;
    type Stored = T;

    fn stored<'a>(&self, answer: &'a Result<T, E>) -> Option<&'a T> {
        answer.as_ref().ok()
    }

    fn answer(&self, stored: T) -> Result<T, E> {
        Ok(stored)
    }

    fn is_err(&self, answer: &Result<T, E>) -> bool {
        answer.is_err()
    }

    fn is_none(&self, answer: &Result<T, E>) -> bool {
        answer.as_ref().is_ok_and(self.is_none)
    }

    fn share_error(&self, answer: &Result<T, E>) -> Option<SharedError> {
        answer.as_ref().err().and_then(self.errors.share)
    }

    fn answer_of_error(&self, error: &SharedError) -> Option<Result<T, E>> {
        (self.errors.clone)(error).map(Err)
    }
}

impl<T: 'static, E: 'static> Form for Failing<T, E> {
    type Answer = Result<T, E>;
    type Stored = Result<T, E>;

    fn stored<'a>(&self, answer: &'a Result<T, E>) -> Option<&'a Result<T, E>> {
        Some(answer)
    }

    fn answer(&self, stored: Result<T, E>) -> Result<T, E> {
        stored
    }

    fn is_err(&self, answer: &Result<T, E>) -> bool {
        answer.is_err()
    }

    fn is_none(&self, answer: &Result<T, E>) -> bool {
        self.0.is_none(answer)
    }

    fn share_error(&self, answer: &Result<T, E>) -> Option<SharedError> {
        self.0.share_error(answer)
    }

    fn answer_of_error(&self, error: &SharedError) -> Option<Result<T, E>> {
        self.0.answer_of_error(error)
    }
}

/// The forms in which there are errors, so that `timeout_err` means something.
#[diagnostic::on_unimplemented(
    message = "`timeout_err` is for functions that answer a `Result`",
    label = "this answer has no `Err` to keep"
)]
pub trait HasErrors: Form {
    /// The form that stores errors too.
    type Failing: Form<Answer = Self::Answer>;

    /// Stores errors too.
    fn with_errors(self) -> Self::Failing;
}

impl<T: 'static, E: 'static> HasErrors for Fallible<T, E> {
    type Failing = Failing<T, E>;

    fn with_errors(self) -> Failing<T, E> {
        Failing(self)
    }
}

/// The forms in which there may be a `None`, so that `timeout_none` means something.
#[diagnostic::on_unimplemented(
    message = "`timeout_none` is for functions that answer an `Option` or a `Result` of one",
    label = "this answer is never `None`"
)]
pub trait HasNones: Form {}

impl<T: 'static> HasNones for Optional<T> {}
impl<T: 'static, E: 'static> HasNones for Fallible<Option<T>, E> {}
impl<T: 'static, E: 'static> HasNones for Failing<Option<T>, E> {}

macro_rules! forms_are_copy_and_show_their_name {
    ($($form:ident<$($parameter:ident),+>;)*) => {$(
        impl<$($parameter),+> Clone for $form<$($parameter),+> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($parameter),+> Copy for $form<$($parameter),+> {}

        impl<$($parameter),+> fmt::Debug for $form<$($parameter),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($form))
            }
        }
    )*};
}
forms_are_copy_and_show_their_name! {
    Plain<T>;
    Optional<T>;
    Fallible<T, E>;
    Failing<T, E>;
}

impl<E> Clone for Errors<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Errors<E> {}
