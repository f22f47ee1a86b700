//! Requests: what every operation returns, to be awaited or waited for.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, NotCachedError};
use crate::policy::Timeout;
use crate::runtime;
use crate::store::Severity;

use super::value::Value;

/// The future of a request that says nothing of how it is done.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something to be done: `.await` it in async code, `.wait()` it in sync code.
///
/// Nothing happens before. Dropping the future that it turns into, once polled, leaves the operation
/// either done or not done.
#[must_use = "a request does nothing until it is awaited or waited for"]
pub struct Request<F>(F);

impl<F: Future> Request<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(future)
    }

    /// Does it, and keeps this thread until it is done. May be called anywhere, in a runtime too.
    pub fn wait(self) -> F::Output {
        runtime::wait(self.0)
    }
}

impl<F: Future> IntoFuture for Request<F> {
    type Output = F::Output;
    type IntoFuture = F;

    fn into_future(self) -> F {
        self.0
    }
}

impl<F> fmt::Debug for Request<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request")
    }
}

/// A request with options, to be awaited or waited for.
macro_rules! request_with_options {
    ($request:ident $(<$($life:lifetime,)? $($type:ident)?>)? => $output:ty) => {
        impl $(<$($life,)? $($type: Serialize + Sync + ?Sized)?>)? $request $(<$($life,)? $($type)?>)? {
            /// Does it, and keeps this thread until it is done. May be called anywhere.
            pub fn wait(self) -> $output {
                runtime::wait(self.run())
            }
        }

        impl $(<$($life,)? $($type: Serialize + Sync + ?Sized)?>)? IntoFuture
            for $request $(<$($life,)? $($type)?>)?
        {
            type Output = $output;
            type IntoFuture = Pin<Box<dyn Future<Output = $output> + Send $($(+ $life)?)?>>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.run())
            }
        }

        impl $(<$($life,)? $($type: ?Sized)?>)? fmt::Debug for $request $(<$($life,)? $($type)?>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($request)).field("key", &self.at.key).finish_non_exhaustive()
            }
        }
    };
}

/// A request for the value under a key: one round trip, none if it is near. Its errors are those of
/// [`Cache::get`](super::Cache::get).
#[must_use = "a request does nothing until it is awaited or waited for"]
pub struct Get<T> {
    at: Value,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Clone + Send + Sync + 'static> Get<T> {
    pub(crate) fn new(at: Value) -> Self {
        Self { at, of: PhantomData }
    }

    /// Does it, and keeps this thread until it is done. May be called anywhere.
    ///
    /// # Errors
    ///
    /// As told by [`Cache::get`](super::Cache::get).
    pub fn wait(self) -> Result<T, NotCachedError> {
        match self.at.in_reach() {
            Ok(value) => Ok(value),
            Err(noted) => runtime::wait(self.at.get_from_afar(noted)),
        }
    }
}

impl<T: DeserializeOwned + Clone + Send + Sync + 'static> IntoFuture for Get<T> {
    type Output = Result<T, NotCachedError>;
    type IntoFuture = Boxed<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.at.in_reach() {
                Ok(value) => Ok(value),
                Err(noted) => self.at.get_from_afar(noted).await,
            }
        })
    }
}

impl<T> fmt::Debug for Get<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").field("key", &self.at.key).finish_non_exhaustive()
    }
}

/// A request to store a value: two round trips. Its errors are those of
/// [`Cache::set`](super::Cache::set).
#[must_use = "a request does nothing until it is awaited or waited for"]
pub struct Set<'a, T: ?Sized> {
    at: Value,
    value: &'a T,
    timeout: Timeout,
}

impl<'a, T: Serialize + Sync + ?Sized> Set<'a, T> {
    pub(crate) fn new(at: Value, value: &'a T) -> Self {
        Self { timeout: at.plan.policy.timeout, at, value }
    }

    /// How long it is fresh; zero stores nothing and removes what was there.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.timeout = timeout.into();
        self
    }

    pub(super) async fn run(self) -> Result<(), Error> {
        self.at.set(self.value, self.timeout).await
    }
}
request_with_options!(Set<'a, T> => Result<(), Error>);

/// A request to store a value where none is: three round trips, one if something is there. Its errors
/// are those of [`Cache::add`](super::Cache::add).
#[must_use = "a request does nothing until it is awaited or waited for"]
pub struct Add<'a, T: ?Sized> {
    at: Value,
    value: &'a T,
    timeout: Timeout,
}

impl<'a, T: Serialize + Sync + ?Sized> Add<'a, T> {
    pub(super) fn new(at: Value, value: &'a T) -> Self {
        Self { timeout: at.plan.policy.timeout, at, value }
    }

    /// How long it is fresh; zero stores nothing.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.timeout = timeout.into();
        self
    }

    pub(super) async fn run(self) -> Result<bool, Error> {
        self.at.add(self.value, self.timeout).await
    }
}
request_with_options!(Add<'a, T> => Result<bool, Error>);

/// A request to delete what is under a key: one round trip. Its errors are those of
/// [`Cache::delete`](super::Cache::delete).
#[must_use = "a request does nothing until it is awaited or waited for"]
pub struct Delete {
    at: Value,
    children: bool,
}

impl Delete {
    pub(crate) fn new(at: Value) -> Self {
        Self { at, children: false }
    }

    /// And everything whose key begins with this one's parts.
    ///
    /// What is below is forgotten in one step, as by any invalidation, which is a round trip more; then
    /// a scan of the store removes it. The number that the request answers is of the records that were
    /// removed. Answers of functions are below their function's
    /// name and nothing else: forget those with `invalidate_all`.
    pub fn children(mut self) -> Self {
        self.children = true;
        self
    }

    pub(super) async fn run(self) -> Result<usize, Error> {
        let own = usize::from(self.at.delete().await?);
        if !self.children {
            return Ok(own);
        }
        let core = &self.at.plan.core;
        core.invalidate(&[core.scopes.prefix(self.at.key.text())], Severity::Hard).await?;
        let below = format!("{}::", self.at.stored);
        Ok(own + core.reclaim(&below).await)
    }
}
request_with_options!(Delete => Result<usize, Error>);

/// A request to add to a counter: two round trips, three to start one. Its errors are those of
/// [`Cache::increment`](super::Cache::increment).
#[must_use = "a request does nothing until it is awaited or waited for"]
pub struct Increment {
    at: Value,
    /// `None` if it was the negative of the one number that has none.
    by: Option<i64>,
    start: Option<i64>,
    timeout: Timeout,
}

impl Increment {
    pub(super) fn new(at: Value, by: Option<i64>) -> Self {
        Self { timeout: at.plan.policy.timeout, at, by, start: None }
    }

    /// Where to count from if nothing is there; without it that is an error.
    pub fn starting_at(mut self, start: i64) -> Self {
        self.start = Some(start);
        self
    }

    /// How long a counter that is started here lives; zero answers its sum without storing it.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.timeout = timeout.into();
        self
    }

    pub(super) async fn run(self) -> Result<i64, Error> {
        self.at.increment(self.by, self.start, self.timeout).await
    }
}
request_with_options!(Increment => Result<i64, Error>);
