//! What the commonest answers take is compiled here, once, and not in each crate that caches some.
//!
//! A compiler that does not optimize shares what a dependency has instantiated. Nothing is called
//! through here.

use crate::error::NotCachedError;
use crate::shape::{Plain, Shared};

use super::begun::Asking;
use super::companions::Asked;
use super::computing::Entered;

type OfPlain<T> = Shared<Plain<T>>;

/// How an answer of this type is read, and what becomes of one.
type Both<T> = (
    fn(Asking<OfPlain<T>, ()>) -> Asked<Result<T, NotCachedError>>,
    fn(Entered<OfPlain<T>>, T) -> T,
);

macro_rules! instantiated {
    ($($name:ident: $answer:ty;)*) => {$(
        /// Those of this type.
        pub static $name: Both<$answer> =
            (Asking::<OfPlain<$answer>, ()>::peek, Entered::<OfPlain<$answer>>::finish);
    )*};
}

instantiated! {
    TEXT: String;
    WHOLE: u64;
    SIGNED: i64;
    TRUTH: bool;
}
