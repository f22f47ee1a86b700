//! What can go wrong, said so that a person can act on it.
//!
//! [`Error`] is for what must be heard: configuration, explicit writes, invalidations.
//! [`NotCachedError`] is the ordinary "it is not there" of reads, with its reason. [`TimedOut`] is for
//! callers of functions with a `hard_timeout`.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, URL, option or alias is wrong; the message names it and lists what is known.
    Config,
    /// A value could not be turned into bytes.
    Encode,
    /// Bytes could not be turned back into a value.
    Decode,
    /// The value is larger than the store takes.
    TooLarge,
    /// The store is out of room and culling could not make any.
    Full,
    /// The store cannot be reached, or says it cannot serve.
    Unavailable,
    /// The store did not answer within `store_timeout`, or a function within its `hard_timeout`.
    Timeout,
    /// The operation was sent and its outcome is not known: it may have taken place.
    OutcomeUnknown,
    /// The store cannot do this at all.
    Unsupported,
    /// What is stored under the key is not a counter, or the sum does not fit in an `i64`.
    NotACounter,
    /// There is nothing to count on.
    NotCached,
    /// The cache is disabled.
    Disabled,
}

/// An error that says what happened, to which key or store, and what may be done.
#[must_use]
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` in `operation` (a verb: `"save"`, `"open"`), with what happened.
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let message = message.into();
        Self(Box::new(Inner { kind, operation, message, context: Vec::new(), source: None }))
    }

    /// Names what it happened to: `("store", "disk:/var/cache")`, `("key", "product::7")`.
    ///
    /// Never a value, never a secret.
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// Keeps the error that caused this one.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Unavailable
                | ErrorKind::Timeout
                | ErrorKind::OutcomeUnknown
                | ErrorKind::Full
        )
    }

    /// What was being done: `"open"`, `"save"`, `"invalidate"`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.0.operation, self.0.message)?;
        for (place, (name, value)) in self.0.context.iter().enumerate() {
            let opening = if place == 0 { " (" } else { ", " };
            write!(f, "{opening}{name} {value}")?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.to_string())
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Why a value is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotCachedReason {
    /// Nothing is stored under the key.
    Absent,
    /// It was stored and its time is over.
    Expired,
    /// It was stored, and a scope it belongs to has been invalidated since.
    Invalidated,
    /// It is stored and cannot be read as this type: damaged, foreign, or of another signature.
    Undecodable,
    /// The store could not be asked.
    Unavailable,
    /// The cache is disabled.
    Disabled,
}

impl fmt::Display for NotCachedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "nothing is stored under it",
            Self::Expired => "its time is over",
            Self::Invalidated => "it has been invalidated",
            Self::Undecodable => "what is stored cannot be read as this type",
            Self::Unavailable => "the store is unavailable",
            Self::Disabled => "the cache is disabled",
        })
    }
}

/// The value is not cached.
#[derive(Debug)]
#[non_exhaustive]
pub struct NotCachedError {
    /// The text of the key that was asked for.
    pub key: String,
    /// Why it is not there.
    pub reason: NotCachedReason,
    /// What the store or the codec said, for `Unavailable` and `Undecodable`.
    pub source: Option<Error>,
}

impl NotCachedError {
    pub(crate) fn new(key: impl Into<String>, reason: NotCachedReason) -> Self {
        Self { key: key.into(), reason, source: None }
    }

    pub(crate) fn because(mut self, source: Error) -> Self {
        self.source = Some(source);
        self
    }
}

impl fmt::Display for NotCachedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not cached: {}", self.key, self.reason)
    }
}

impl StdError for NotCachedError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// The answer of a function did not come within its `hard_timeout`, and no older one was at hand.
///
/// The computation goes on, and its answer is cached. A function with a `hard_timeout` answers a
/// `Result` whose error can be made of this:
///
/// ```
/// use keyedcache::{TimedOut, cached};
///
/// #[derive(Debug)]
/// enum Failure {
///     TooSlow,
///     Unknown,
/// }
///
/// impl From<TimedOut> for Failure {
///     fn from(_: TimedOut) -> Self {
///         Self::TooSlow
///     }
/// }
///
/// #[cached(timeout = 60, hard_timeout = "2s")]
/// fn price(product: u64) -> Result<u64, Failure> {
///     product.checked_mul(3).ok_or(Failure::Unknown) // three slow seconds
/// }
///
/// assert!(price(7).is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedOut {
    /// The text of the key whose answer did not come.
    pub key: String,
    /// How long a call waits for it: the function's `hard_timeout`.
    pub hard_timeout: Duration,
}

impl TimedOut {
    pub(crate) fn new(key: impl Into<String>, hard_timeout: Duration) -> Self {
        Self { key: key.into(), hard_timeout }
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no answer within its hard_timeout of {:?}", self.key, self.hard_timeout)
    }
}

impl StdError for TimedOut {}

/// An error of kind [`ErrorKind::Timeout`], temporary.
impl From<TimedOut> for Error {
    fn from(timed_out: TimedOut) -> Self {
        let TimedOut { key, hard_timeout } = &timed_out;
        Self::new(
            ErrorKind::Timeout,
            "compute",
            "no answer within `hard_timeout`; the computation goes on and will be cached: ask again",
        )
        .with("key", key)
        .with("hard_timeout", format_args!("{hard_timeout:?}"))
        .with_source(timed_out)
    }
}
