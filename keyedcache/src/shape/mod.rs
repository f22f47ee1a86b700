//! Shapes: what of a function's answer is stored, and how the two are turned into each other.
//!
//! A [`Form`] is found from the answer's type by [`probe`], knows nothing of serialization, and
//! demands nothing. A [`Shape`] is a form whose stored part is fit for a cache: [`Shared`] ones can
//! be written for stores, [`Local`] ones cannot.
//!
//! The bounds of a shape are demanded where the macros turn a form into one ([`fit`]), and an answer
//! that does not satisfy them is given a shape all the same: one error, and not one a use.

pub mod fit;
mod form;
pub mod probe;
mod told;

use std::any::Any;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::policy::{IntoTimeout, Timeout};
use crate::{Error, TimedOut};

pub use form::{Failing, Fallible, Form, HasErrors, HasNones, Optional, Plain};
pub(crate) use told::Told;

/// An error on its way to those who wait for the same answer in this process.
pub type SharedError = Arc<dyn Any + Send + Sync>;

/// A codec at work on one value: what [`Shape::encode`] hands it.
pub trait Encode {
    /// What comes out.
    type Output;

    /// Encodes the value.
    fn encode<T: Serialize>(self, value: &T) -> Self::Output;
}

/// A codec at work on some bytes: what [`Shape::decode`] asks for a value.
pub trait Decode {
    /// Decodes a value of this type.
    fn decode<T: DeserializeOwned + 'static>(self) -> Result<T, Error>;
}

/// What of an answer is stored, and how it is written.
pub trait Shape: Copy + Send + Sync + 'static {
    /// What the function answers.
    type Answer: 'static;
    /// What caches keep of it.
    type Stored: Clone + Send + Sync + 'static;

    /// Whether what is stored never leaves this process.
    const LOCAL: bool;

    /// What is to be stored of this answer; `None` if it is not to be stored.
    fn stored<'a>(&self, answer: &'a Self::Answer) -> Option<&'a Self::Stored>;

    /// The answer that was stored.
    fn answer(&self, stored: Self::Stored) -> Self::Answer;

    /// Whether the answer is an `Err`.
    fn is_err(&self, answer: &Self::Answer) -> bool;

    /// Whether the answer is a `None` or an `Ok(None)`.
    fn is_none(&self, answer: &Self::Answer) -> bool;

    /// The error in this answer, for those who wait for it; `None` if it is no error or cannot be
    /// cloned and shared.
    fn share_error(&self, answer: &Self::Answer) -> Option<SharedError>;

    /// The answer that [`share_error`](Self::share_error) took the error from.
    fn answer_of_error(&self, error: &SharedError) -> Option<Self::Answer>;

    /// How long what is stored is fresh, if that depends on it.
    fn timeout(&self, _stored: &Self::Stored) -> Option<Timeout> {
        None
    }

    /// The answer for a caller whose time is up, if there is one.
    fn timed_out(&self, _timed_out: TimedOut) -> Option<Self::Answer> {
        None
    }

    /// Encodes what is stored; `None` of a local shape.
    fn encode<E: Encode>(&self, stored: &Self::Stored, encoder: E) -> Option<E::Output>;

    /// Decodes what was stored; `None` of a local shape.
    fn decode<D: Decode>(decoder: D) -> Option<Result<Self::Stored, Error>>;
}

/// The answers that can be shared with other processes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be cached for other processes to read",
    label = "this must be `Clone`, `serde::Serialize` and `serde::de::DeserializeOwned`",
    note = "`#[derive(Clone, serde::Serialize, serde::Deserialize)]` on it, and see that it is `Send + Sync + 'static`",
    note = "or keep it in this process with `#[cached(local)]`, which asks for `Clone + Send + Sync + 'static` only"
)]
pub trait Shareable: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Shareable for T {}

/// The answers that a process can keep for itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be cached",
    label = "this must be `Clone + Send + Sync + 'static`",
    note = "`#[derive(Clone)]` on it, or answer an `Arc` of it"
)]
pub trait Keepable: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Keepable for T {}

/// The answers that can say that time is up.
#[diagnostic::on_unimplemented(
    message = "`hard_timeout` needs an answer to give when time is up, and `{Self}` has none",
    label = "this must be a `Result` whose error is `From<keyedcache::TimedOut>`",
    note = "answer a `Result`, and write `impl From<keyedcache::TimedOut>` for its error",
    note = "or serve an older answer where there is one, with `soft_timeout`"
)]
pub trait TimesOut {
    /// The answer that says so.
    fn timed_out(timed_out: TimedOut) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<TimedOut>> TimesOut for Result<T, E> {
    fn timed_out(timed_out: TimedOut) -> Self {
        Err(timed_out.into())
    }
}

/// The shape that stores what `shape` stores, and answers callers whose time is up with what
/// `timed_out` makes.
pub fn timing_out<S, C>(shape: S, timed_out: C) -> TimingOut<S, C>
where
    S: Shape,
    C: Fn(TimedOut) -> S::Answer + Copy + Send + Sync + 'static,
{
    TimingOut { shape, timed_out }
}

/// The shape that stores what `shape` stores, if `condition` says so of the answer.
pub fn cache_if<S, C>(shape: S, condition: C) -> CacheIf<S, C>
where
    S: Shape,
    C: Fn(&S::Answer) -> bool + Copy + Send + Sync + 'static,
{
    CacheIf { shape, condition }
}

/// The shape that stores what `shape` stores, each for as long as `timeout` says of it.
pub fn timeout_by<S, C, T>(shape: S, timeout: C) -> TimeoutBy<S, C>
where
    S: Shape,
    C: Fn(&S::Stored) -> T + Copy + Send + Sync + 'static,
    T: IntoTimeout,
{
    TimeoutBy { shape, timeout }
}

/// The shape of a form whose answers other processes read.
#[derive(Clone, Copy, Debug)]
pub struct Shared<F>(F);

/// The shape of a form whose answers stay in this process.
#[derive(Clone, Copy, Debug)]
pub struct Local<F>(F);

/// What [`cache_if`] makes.
#[derive(Clone, Copy)]
pub struct CacheIf<S, C> {
    shape: S,
    condition: C,
}

/// What [`timeout_by`] makes.
#[derive(Clone, Copy)]
pub struct TimeoutBy<S, C> {
    shape: S,
    timeout: C,
}

/// What [`timing_out`] makes.
#[derive(Clone, Copy)]
pub struct TimingOut<S, C> {
    shape: S,
    timed_out: C,
}

impl<S: std::fmt::Debug, C> std::fmt::Debug for TimingOut<S, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimingOut").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl<S: std::fmt::Debug, C> std::fmt::Debug for TimeoutBy<S, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimeoutBy").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl<S: std::fmt::Debug, C> std::fmt::Debug for CacheIf<S, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheIf").field("shape", &self.shape).finish_non_exhaustive()
    }
}

/// Passes on to the form or shape inside what a wrapper does not change.
macro_rules! pass_on {
    ($inner:tt: $($method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        fn $method(&self, $($argument: $type),*) -> $answer {
            self.$inner.$method($($argument),*)
        }
    )*};
}

impl<F: Form<Stored: Shareable>> Shape for Shared<F> {
    type Answer = F::Answer;
    type Stored = F::Stored;

    const LOCAL: bool = false;

    fn stored<'a>(&self, answer: &'a Self::Answer) -> Option<&'a Self::Stored> {
        self.0.stored(answer)
    }

    pass_on! { 0:
        answer(stored: Self::Stored) -> Self::Answer;
        is_err(answer: &Self::Answer) -> bool;
        is_none(answer: &Self::Answer) -> bool;
        share_error(answer: &Self::Answer) -> Option<SharedError>;
        answer_of_error(error: &SharedError) -> Option<Self::Answer>;
    }

    fn encode<E: Encode>(&self, stored: &Self::Stored, encoder: E) -> Option<E::Output> {
        Some(encoder.encode(stored))
    }

    fn decode<D: Decode>(decoder: D) -> Option<Result<Self::Stored, Error>> {
        Some(decoder.decode())
    }
}

impl<F: Form<Stored: Keepable>> Shape for Local<F> {
    type Answer = F::Answer;
    type Stored = F::Stored;

    const LOCAL: bool = true;

    fn stored<'a>(&self, answer: &'a Self::Answer) -> Option<&'a Self::Stored> {
        self.0.stored(answer)
    }

    pass_on! { 0:
        answer(stored: Self::Stored) -> Self::Answer;
        is_err(answer: &Self::Answer) -> bool;
        is_none(answer: &Self::Answer) -> bool;
        share_error(answer: &Self::Answer) -> Option<SharedError>;
        answer_of_error(error: &SharedError) -> Option<Self::Answer>;
    }

    fn encode<E: Encode>(&self, _: &Self::Stored, _: E) -> Option<E::Output> {
        None
    }

    fn decode<D: Decode>(_: D) -> Option<Result<Self::Stored, Error>> {
        None
    }
}

impl<S, C> Shape for CacheIf<S, C>
where
    S: Shape,
    C: Fn(&S::Answer) -> bool + Copy + Send + Sync + 'static,
{
    type Answer = S::Answer;
    type Stored = S::Stored;

    const LOCAL: bool = S::LOCAL;

    fn stored<'a>(&self, answer: &'a Self::Answer) -> Option<&'a Self::Stored> {
        self.shape.stored(answer).filter(|_| (self.condition)(answer))
    }

    pass_on! { shape:
        answer(stored: Self::Stored) -> Self::Answer;
        is_err(answer: &Self::Answer) -> bool;
        is_none(answer: &Self::Answer) -> bool;
        share_error(answer: &Self::Answer) -> Option<SharedError>;
        answer_of_error(error: &SharedError) -> Option<Self::Answer>;
        timeout(stored: &Self::Stored) -> Option<Timeout>;
    }

    fn encode<E: Encode>(&self, stored: &Self::Stored, encoder: E) -> Option<E::Output> {
        self.shape.encode(stored, encoder)
    }

    fn decode<D: Decode>(decoder: D) -> Option<Result<Self::Stored, Error>> {
        S::decode(decoder)
    }
}

impl<S, C, T> Shape for TimeoutBy<S, C>
where
    S: Shape,
    C: Fn(&S::Stored) -> T + Copy + Send + Sync + 'static,
    T: IntoTimeout,
{
    type Answer = S::Answer;
    type Stored = S::Stored;

    const LOCAL: bool = S::LOCAL;

    fn timeout(&self, stored: &Self::Stored) -> Option<Timeout> {
        Some((self.timeout)(stored).into_timeout())
    }

    pass_on! { shape:
        answer(stored: Self::Stored) -> Self::Answer;
        is_err(answer: &Self::Answer) -> bool;
        is_none(answer: &Self::Answer) -> bool;
        share_error(answer: &Self::Answer) -> Option<SharedError>;
        answer_of_error(error: &SharedError) -> Option<Self::Answer>;
    }

    fn stored<'a>(&self, answer: &'a Self::Answer) -> Option<&'a Self::Stored> {
        self.shape.stored(answer)
    }

    fn encode<E: Encode>(&self, stored: &Self::Stored, encoder: E) -> Option<E::Output> {
        self.shape.encode(stored, encoder)
    }

    fn decode<D: Decode>(decoder: D) -> Option<Result<Self::Stored, Error>> {
        S::decode(decoder)
    }
}

impl<S, C> Shape for TimingOut<S, C>
where
    S: Shape,
    C: Fn(TimedOut) -> S::Answer + Copy + Send + Sync + 'static,
{
    type Answer = S::Answer;
    type Stored = S::Stored;

    const LOCAL: bool = S::LOCAL;

    fn timed_out(&self, timed_out: TimedOut) -> Option<Self::Answer> {
        Some((self.timed_out)(timed_out))
    }

    pass_on! { shape:
        answer(stored: Self::Stored) -> Self::Answer;
        is_err(answer: &Self::Answer) -> bool;
        is_none(answer: &Self::Answer) -> bool;
        share_error(answer: &Self::Answer) -> Option<SharedError>;
        answer_of_error(error: &SharedError) -> Option<Self::Answer>;
        timeout(stored: &Self::Stored) -> Option<Timeout>;
    }

    fn stored<'a>(&self, answer: &'a Self::Answer) -> Option<&'a Self::Stored> {
        self.shape.stored(answer)
    }

    fn encode<E: Encode>(&self, stored: &Self::Stored, encoder: E) -> Option<E::Output> {
        self.shape.encode(stored, encoder)
    }

    fn decode<D: Decode>(decoder: D) -> Option<Result<Self::Stored, Error>> {
        S::decode(decoder)
    }
}

#[cfg(test)]
mod tests;
