//! Everything that expansions of the macros may name. Not for users; it changes without notice.
//!
//! This one caches nothing: it is what the expansions are type-checked and run against until the
//! path of a call is there.

#![allow(missing_docs, missing_debug_implementations)]

use std::borrow::Borrow;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

pub use crate::shape::fit::{
    Fit, FitToFail, FitToKeep, FitToShare, UnfitToFail, UnfitToKeep, UnfitToShare,
};
pub use crate::shape::probe::{
    Anything, OptionAndSharedErrors, OptionInResult, Probe, SharedErrors, Variant,
};
pub use crate::shape::{Shape, cache_if};
use crate::{Error, NotCachedError, NotCachedReason};

// What stands in for the keys.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

#[diagnostic::on_unimplemented(message = "`{Self}` cannot be part of a key")]
pub trait KeyPart {
    fn write(&self, text: &mut String);
}

pub trait KeyParts {
    fn write(&self, text: &mut String);
}

impl KeyParts for () {
    fn write(&self, _: &mut String) {}
}

impl<A: KeyPart, B: KeyParts> KeyParts for (A, B) {
    fn write(&self, text: &mut String) {
        text.push_str("::");
        self.0.write(text);
        self.1.write(text);
    }
}

impl<T: KeyPart + ?Sized> KeyPart for &T {
    fn write(&self, text: &mut String) {
        (**self).write(text);
    }
}

impl<T: KeyPart> KeyPart for Option<T> {
    fn write(&self, text: &mut String) {
        match self {
            Some(value) => value.write(text),
            None => text.push_str("%-"),
        }
    }
}

impl<T: KeyPart> KeyPart for [T] {
    fn write(&self, text: &mut String) {
        self.iter().for_each(|part| {
            text.push_str("%,");
            part.write(text);
        });
    }
}

impl<A: KeyPart, B: KeyPart> KeyPart for (A, B) {
    fn write(&self, text: &mut String) {
        self.0.write(text);
        text.push_str("%,");
        self.1.write(text);
    }
}

impl<T: KeyPart> KeyPart for Vec<T> {
    fn write(&self, text: &mut String) {
        self.as_slice().write(text);
    }
}

macro_rules! displayed {
    ($($part:ty),*) => {$(
        impl KeyPart for $part {
            fn write(&self, text: &mut String) {
                text.push_str(&self.to_string());
            }
        }
    )*};
}
displayed!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, bool, char, str, String);

// The site and what it says.

/// What is known of one annotated function; its [`Spec`] is made at first use.
pub struct Site {
    make: fn() -> Spec,
    spec: OnceLock<Spec>,
}

impl Site {
    #[must_use]
    pub const fn new(make: fn() -> Spec) -> Self {
        Self { make, spec: OnceLock::new() }
    }

    pub fn spec(&self) -> &Spec {
        self.spec.get_or_init(self.make)
    }
}

/// The options of one annotated function.
#[derive(Clone, Debug)]
#[must_use]
pub struct Spec {
    pub namespace: &'static str,
    pub options: Vec<(&'static str, String)>,
}

impl Spec {
    pub fn of<C: ?Sized>() -> Self {
        Self { namespace: std::any::type_name::<C>(), options: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: &dyn std::fmt::Debug) -> Self {
        self.options.push((name, format!("{value:?}")));
        self
    }

    pub fn name(mut self, name: &'static str) -> Self {
        self.namespace = name;
        self
    }

    pub fn timeout(self, timeout: impl IntoTimeout) -> Self {
        self.with("timeout", &timeout.into_timeout())
    }

    pub fn refresh_in_foreground(self) -> Self {
        self.with("refresh_in_foreground", &true)
    }

    pub fn local(self) -> Self {
        self.with("local", &true)
    }
}

macro_rules! options {
    ($($name:ident: $type:ty),*) => {
        impl Spec {$(
            pub fn $name(self, value: $type) -> Self {
                self.with(stringify!($name), &value)
            }
        )*}
    };
}
options! {
    version: u32, cache: &'static str, stale: Duration, stale_if_error: Duration, early: f64,
    jitter: f64, timeout_err: Duration, timeout_none: Duration, near: usize,
    single_flight: SingleFlight, wait: Duration, lease: Duration, fingerprint: u64
}

/// How long answers are fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timeout {
    After(Duration),
    Never,
}

/// What can be given as a timeout.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a timeout",
    label = "write seconds, \"5m\", a `Duration`, or `Never`"
)]
pub trait IntoTimeout {
    fn into_timeout(self) -> Timeout;
}

impl IntoTimeout for Duration {
    fn into_timeout(self) -> Timeout {
        Timeout::After(self)
    }
}

impl IntoTimeout for u64 {
    fn into_timeout(self) -> Timeout {
        Timeout::After(Duration::from_secs(self))
    }
}

impl IntoTimeout for Timeout {
    fn into_timeout(self) -> Timeout {
        self
    }
}

/// Who waits for a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SingleFlight {
    Cluster,
    Process,
    Off,
}

// The path of a call.

pub enum Begun<S: Shape> {
    Answer(S::Answer),
    Alone,
    Lead(Lead<S>),
    Stale(S::Answer, Refresh<S>),
}

#[must_use]
pub struct Lead<S>(Box<S>);

#[must_use]
pub struct Leading<S>(Box<S>);

#[must_use]
pub struct Refresh<S>(Box<S>);

#[allow(clippy::unused_async)] // the real one awaits
pub async fn begin<S: Shape, A: KeyParts>(
    site: &'static Site,
    _shape: S,
    arguments: &A,
) -> Begun<S> {
    arguments.write(&mut site.spec().namespace.to_owned());
    Begun::Alone
}

pub fn begin_wait<S: Shape, A: KeyParts>(
    site: &'static Site,
    _shape: S,
    arguments: &A,
) -> Begun<S> {
    arguments.write(&mut site.spec().namespace.to_owned());
    Begun::Alone
}

impl<S: Shape> Lead<S> {
    /// The caller computes from here until [`Leading::finish`].
    pub fn enter(self) -> Leading<S> {
        Leading(self.0)
    }

    /// Computes, saves, answers.
    pub async fn lead<F: Future<Output = S::Answer>>(self, body: F) -> S::Answer {
        body.await
    }
}

impl<S: Shape> Leading<S> {
    /// Saves the answer and returns it. Dropped instead, the lease is given back.
    pub fn finish(self, answer: S::Answer) -> S::Answer {
        answer
    }
}

impl<S: Shape> Refresh<S> {
    pub fn spawn<F: Future<Output = S::Answer> + Send + 'static>(self, body: F) {
        drop(body);
    }

    pub fn spawn_blocking<F: FnOnce() -> S::Answer + Send + 'static>(self, body: F) {
        drop(body);
    }
}

// The companions.

/// One call of one function: what the companions work on. Borrows nothing.
#[must_use]
pub struct Call<S> {
    key: Key,
    shape: PhantomData<S>,
}

pub fn key<A: KeyParts>(site: &'static Site, arguments: &A) -> Key {
    let mut text = site.spec().namespace.to_owned();
    arguments.write(&mut text);
    Key(text)
}

impl<S: Shape> Call<S> {
    pub fn new<A: KeyParts>(site: &'static Site, _shape: S, arguments: &A) -> Self {
        Self { key: key(site, arguments), shape: PhantomData }
    }

    pub fn peek(
        self,
    ) -> Request<impl Future<Output = Result<S::Answer, NotCachedError>> + Send + use<S>> {
        let key = self.key;
        Request(async move { Err(NotCachedError::new(key.0, NotCachedReason::Absent)) })
    }

    pub fn refresh<F: Future<Output = S::Answer>>(
        self,
        body: F,
    ) -> Request<impl Future<Output = S::Answer> + use<S, F>> {
        Request(body)
    }

    pub fn invalidate(self) -> Request<impl Future<Output = Result<(), Error>> + Send + use<S>> {
        Request(async { Ok(()) })
    }

    pub fn put(
        self,
        value: S::Answer,
    ) -> Request<impl Future<Output = Result<(), Error>> + use<S>> {
        Request(async move {
            drop(value);
            Ok(())
        })
    }
}

pub fn invalidate_all(
    site: &'static Site,
) -> Request<impl Future<Output = Result<(), Error>> + Send> {
    let _ = site.spec();
    Request(async { Ok(()) })
}

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

/// Something to be done: `.await` it in async code, `.wait()` in sync code.
#[must_use = "a request does nothing until it is awaited or waited for"]
#[derive(Debug)]
pub struct Request<F>(F);

impl<F: Future> IntoFuture for Request<F> {
    type Output = F::Output;
    type IntoFuture = F;

    fn into_future(self) -> F {
        self.0
    }
}

impl<F: Future> Request<F> {
    /// Does it, and keeps this thread until it is done.
    pub fn wait(self) -> F::Output {
        struct Unpark(std::thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut future = pin!(self.0);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => return output,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

/// The companions' answers where the attribute is wrong: only their types matter then.
pub type Unmade<T> = Request<Pin<Box<dyn Future<Output = T> + Send>>>;
