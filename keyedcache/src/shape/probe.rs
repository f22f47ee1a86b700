//! Finds the form of an answer from its type, so that aliases of `Result` and `Option` behave.
//!
//! `(&&&&&Probe::<Answer>::new()).form()`, with the five traits in scope, takes the first of:
//!
//! 1. `Result<Option<T>, E>` whose errors can be shared,
//! 2. `Result<T, E>` whose errors can be shared,
//! 3. `Result<Option<T>, E>`,
//! 4. `Result<T, E>` and `Option<T>`,
//! 5. anything.
//!
//! Method lookup tries a receiver with fewer references only when none with more fits; each trait is
//! implemented one reference deeper than the next. A generic answer is found to be a plain value.

use std::fmt;
use std::marker::PhantomData;

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

macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident: $(
        [$($generics:tt)*] $answer:ty => $form:ty, $make:expr;
    )*)*) => {$(
        $(#[$doc])*
        pub trait $step {
            /// The form found.
            type Form;

            /// Finds the form.
            fn form(&self) -> Self::Form;
        }

        $(
            impl<$($generics)*> $step for $answer {
                type Form = $form;

                fn form(&self) -> $form {
                    $make
                }
            }
        )*
    )*};
}

steps! {
    /// First: an `Option` and errors to share.
    OptionAndSharedErrors:
        [T, E: Clone + Send + Sync + 'static] &&&&Probe<Result<Option<T>, E>>
            => Fallible<Option<T>, E>, Fallible::new().telling_nones().sharing_errors();
    /// Second: errors to share.
    SharedErrors:
        [T, E: Clone + Send + Sync + 'static] &&&Probe<Result<T, E>>
            => Fallible<T, E>, Fallible::new().sharing_errors();
    /// Third: an `Option` in a `Result`.
    OptionInResult:
        [T, E] &&Probe<Result<Option<T>, E>>
            => Fallible<Option<T>, E>, Fallible::new().telling_nones();
    /// Fourth: a `Result` or an `Option`.
    Variant:
        [T, E] &Probe<Result<T, E>> => Fallible<T, E>, Fallible::new();
        [T] &Probe<Option<T>> => Optional<T>, Optional::new();
    /// Last: anything.
    Anything:
        [T] Probe<T> => Plain<T>, Plain::new();
}
