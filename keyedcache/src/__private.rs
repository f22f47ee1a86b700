//! Everything that expansions of the macros may name. Not for users; it changes without notice.

#![allow(missing_docs, missing_debug_implementations)]

use std::borrow::Borrow;
use std::future::Future;
use std::pin::Pin;

pub use crate::cache::Boxed;
pub use crate::codec::Codec;
pub use crate::function::ready;
pub use crate::function::{
    Asked, Asking, Away, Begun, Call, Computing, Entered, Given, Site, Sites, Spec, Whole, begin,
    begin_away, begin_away_wait, begin_wait, invalidate_all, invalidate_scope, type_text,
};
pub use crate::key::{KeyEncoder, KeyPart, KeyParts, Scoped, Scopes, TextIdentity};
pub use crate::object::{CachedObject, ObjectSpec, ObjectValue, is_object_value};
pub use crate::policy::{IntoTimeout, SingleFlight, Timeout};
pub use crate::shape::fit::{Fit, UnfitToFail, UnfitToKeep, UnfitToShare};
pub use crate::shape::probe::{Anything, HasForm, Probe};
pub use crate::shape::{Shape, TimesOut, cache_if, timeout_by, timing_out};

pub use crate::{Error, Key, NotCachedError, Request};

// Not there without their features, which the compiler then names.
#[cfg(feature = "msgpack")]
pub const CODEC_MSGPACK: Codec = Codec::MessagePack;
#[cfg(feature = "json")]
pub const CODEC_JSON: Codec = Codec::Json;
#[cfg(feature = "bincode")]
pub const CODEC_BINCODE: Codec = Codec::Bincode;

/// An argument as `key = …` sees it: by value if it is `Copy`, else by reference.
pub struct Argument<'a, T: ?Sized>(pub &'a T);

pub trait CopiedArgument {
    type Seen;
    fn seen(&self) -> Self::Seen;
}

impl<T: Copy> CopiedArgument for &Argument<'_, T> {
    type Seen = T;

    fn seen(&self) -> T {
        *self.0
    }
}

pub trait BorrowedArgument {
    type Seen;
    fn seen(&self) -> Self::Seen;
}

impl<'a, T: ?Sized> BorrowedArgument for Argument<'a, T> {
    type Seen = &'a T;

    fn seen(&self) -> &'a T {
        self.0
    }
}

/// A reference to what is to be a part of a key.
///
/// `Part(&argument).checked()` is the method of the type itself if it can be one, else that of
/// [`UnfitPart`], whose bound fails: one error, where the method's name stands.
pub struct Part<'a, P: ?Sized>(pub &'a P);

impl<'a, P: KeyPart + ?Sized> Part<'a, P> {
    #[inline]
    #[must_use]
    pub fn checked(self) -> &'a P {
        self.0
    }
}

pub trait UnfitPart<P: ?Sized> {
    fn checked(self) -> &'static str
    where
        P: KeyPart;
}

impl<P: ?Sized> UnfitPart<P> for Part<'_, P> {
    fn checked(self) -> &'static str
    where
        P: KeyPart,
    {
        unreachable!("only programs that do not compile call it")
    }
}

/// Borrowed arguments that a refresh in the background can keep a copy of.
#[diagnostic::on_unimplemented(
    message = "a refresh in the background cannot keep a copy of `{Self}`",
    label = "this is borrowed, and not `Clone + Send + 'static`",
    note = "let one caller refresh while it waits, with `refresh = \"foreground\"`"
)]
pub trait KeepForRefresh {
    type Kept: Borrow<Self> + Send + 'static;

    fn keep(&self) -> Self::Kept;
}

#[diagnostic::do_not_recommend]
impl<T: ToOwned<Owned: Send + 'static> + ?Sized> KeepForRefresh for T {
    type Kept = T::Owned;

    fn keep(&self) -> T::Owned {
        self.to_owned()
    }
}

/// Borrowed arguments that a computation can keep a copy of when its caller goes on without it.
#[diagnostic::on_unimplemented(
    message = "a computation that may outlast its call cannot keep a copy of `{Self}`",
    label = "this is borrowed, and not `Clone + Send + 'static`",
    note = "pass what it needs by value, or in an `Arc`; or leave `soft_timeout` and `hard_timeout` out"
)]
pub trait KeepToGoOn {
    type Kept: Borrow<Self> + Send + 'static;

    fn keep(&self) -> Self::Kept;
}

#[diagnostic::do_not_recommend]
impl<T: ToOwned<Owned: Send + 'static> + ?Sized> KeepToGoOn for T {
    type Kept = T::Owned;

    fn keep(&self) -> T::Owned {
        self.to_owned()
    }
}

/// The companions' answers where the attribute is wrong: only their types matter then.
pub type Unmade<T> = Request<Pin<Box<dyn Future<Output = T> + Send>>>;

/// What an id that is a `String` may be given as.
pub type Text = str;
