//! Finds the form of an answer from its type, so that aliases of `Result` and `Option` behave.
//!
//! `(&&&&Probe::<Answer>::new().kind()).form()`, with [`Anything`] and [`HasForm`] in scope, takes the
//! first of:
//!
//! 1. `Result<Option<T>, E>` whose errors can be shared,
//! 2. `Result<T, E>` whose errors can be shared,
//! 3. `Result<Option<T>, E>`,
//! 4. `Result<T, E>`, or `Option<T>`,
//! 5. anything.
//!
//! A method of a type is found before one of a trait, so `kind` tells a `Result` and an `Option` from
//! what they are not. The rest is for a `Result` only, since it costs the compiler more: method lookup
//! tries a receiver with fewer references only when none with more fits, and each step is implemented
//! one reference deeper than the next. A generic answer is found to be a plain value.

use std::fmt;
use std::marker::PhantomData;

use super::fit::Fit;
use super::form::{Fallible, Optional, Plain};

/// Asks for the form of `A`.
pub struct Probe<A>(PhantomData<fn() -> A>);

impl<A> Probe<A> {
    /// The probe for `A`.
    #[must_use]
    #[allow(clippy::new_without_default)] // only expansions make one
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<A> fmt::Debug for Probe<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

/// What an answer is.
pub struct Kind<F>(F);

impl<F> fmt::Debug for Kind<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kind")
    }
}

impl<T, E> Probe<Result<T, E>> {
    /// A `Result`.
    #[must_use]
    pub fn kind(self) -> Kind<Fallible<T, E>> {
        Kind(Fallible::new())
    }
}

impl<T> Probe<Option<T>> {
    /// An `Option`.
    #[must_use]
    pub fn kind(self) -> Kind<Optional<T>> {
        Kind(Optional::new())
    }
}

/// What is neither.
pub trait Anything<T> {
    /// A plain value.
    fn kind(self) -> Kind<Plain<T>>;
}

impl<T> Anything<T> for Probe<T> {
    fn kind(self) -> Kind<Plain<T>> {
        Kind(Plain::new())
    }
}

impl<T> Kind<Plain<T>> {
    /// Its form.
    #[must_use]
    pub fn form(self: &&&&Self) -> Fit<Plain<T>> {
        Fit(self.0)
    }
}

impl<T> Kind<Optional<T>> {
    /// Its form.
    #[must_use]
    pub fn form(self: &&&&Self) -> Fit<Optional<T>> {
        Fit(self.0)
    }
}

/// What has a form that is to be found: a `Result`, behind some references.
pub trait HasForm {
    /// The form found.
    type Form;

    /// Finds the form.
    fn form(&self) -> Fit<Self::Form>;
}

macro_rules! steps {
    ($([$($generics:tt)*] $kind:ty => $form:ty, |$of:ident| $make:expr;)*) => {$(
        impl<$($generics)*> HasForm for $kind {
            type Form = $form;

            fn form(&self) -> Fit<$form> {
                let $of = self.0;
                Fit($make)
            }
        }
    )*};
}

steps! {
    [T, E: Clone + Send + Sync + 'static] &&&Kind<Fallible<Option<T>, E>>
        => Fallible<Option<T>, E>, |form| form.telling_nones().sharing_errors();
    [T, E: Clone + Send + Sync + 'static] &&Kind<Fallible<T, E>>
        => Fallible<T, E>, |form| form.sharing_errors();
    [T, E] &Kind<Fallible<Option<T>, E>>
        => Fallible<Option<T>, E>, |form| form.telling_nones();
    [T, E] Kind<Fallible<T, E>>
        => Fallible<T, E>, |form| form;
}
