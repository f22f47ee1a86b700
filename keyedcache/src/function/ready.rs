//! What the commonest answers take is compiled here, once, and not in each crate that caches some.
//!
//! A compiler that does not optimize shares what a dependency has instantiated. Nothing is called
//! through here.

use crate::shape::{Plain, Shared};

use super::begun::{BegunSync, Noted, begin_wait_slowly};
use super::computing::Entered;

type OfPlain<T> = Shared<Plain<T>>;

/// How an answer of this type is looked for, and what becomes of one.
type Both<T> = (fn(Noted<OfPlain<T>>) -> BegunSync<OfPlain<T>>, fn(Entered<OfPlain<T>>, T) -> T);

macro_rules! instantiated {
    ($($name:ident: $answer:ty;)*) => {$(
        /// Those of this type.
        #[allow(private_interfaces)] // nobody calls them
        pub static $name: Both<$answer> =
            (begin_wait_slowly::<OfPlain<$answer>>, Entered::<OfPlain<$answer>>::finish);
    )*};
}

instantiated! {
    TEXT: String;
    WHOLE: u64;
    SIGNED: i64;
    TRUTH: bool;
}
