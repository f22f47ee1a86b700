//! What may be said about how one function's or one value's answers are kept.

use std::time::Duration;

/// How long an answer is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// This long; zero means that it is not stored.
    After(Duration),
    /// For ever.
    Never,
}

impl Timeout {
    /// The duration; `None` is for ever.
    #[must_use]
    pub const fn as_duration(self) -> Option<Duration> {
        match self {
            Self::After(duration) => Some(duration),
            Self::Never => None,
        }
    }

    /// Whether it means "do not store".
    #[must_use]
    pub const fn is_zero(self) -> bool {
        matches!(self, Self::After(duration) if duration.is_zero())
    }
}

impl From<Duration> for Timeout {
    fn from(duration: Duration) -> Self {
        Self::After(duration)
    }
}

impl From<Option<Duration>> for Timeout {
    /// `None` is for ever.
    fn from(duration: Option<Duration>) -> Self {
        duration.map_or(Self::Never, Self::After)
    }
}

/// Whole seconds.
impl From<u64> for Timeout {
    fn from(seconds: u64) -> Self {
        Self::After(Duration::from_secs(seconds))
    }
}

/// What can be given as a timeout: whole seconds, a [`Duration`], a [`Timeout`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a timeout",
    label = "write seconds, \"5m\", a `Duration`, or `Never`"
)]
pub trait IntoTimeout {
    /// The timeout meant.
    fn into_timeout(self) -> Timeout;
}

#[diagnostic::do_not_recommend]
impl<T: Into<Timeout>> IntoTimeout for T {
    fn into_timeout(self) -> Timeout {
        self.into()
    }
}

/// Among whom a missing value is computed once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SingleFlight {
    /// Among all processes that share the store.
    #[default]
    Cluster,
    /// Among the callers of each process; other processes do not wait.
    Process,
    /// Nobody waits for anybody.
    Off,
}

/// How answers are kept and shared; the defaults are a cache's, until it says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policy {
    pub(crate) timeout: Timeout,
    pub(crate) stale: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) early: Option<f64>,
    pub(crate) jitter: f64,
    pub(crate) timeout_err: Option<Timeout>,
    pub(crate) timeout_none: Option<Timeout>,
    pub(crate) refresh_in_foreground: bool,
    pub(crate) single_flight: SingleFlight,
    pub(crate) wait: Duration,
    /// How long a call waits for a new answer where it has an older one.
    pub(crate) soft_timeout: Option<Duration>,
    /// How long a call waits for an answer.
    pub(crate) hard_timeout: Option<Duration>,
    pub(crate) lease: Duration,
    pub(crate) lease_max: Duration,
    pub(crate) near: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timeout: Timeout::After(Duration::from_mins(5)),
            stale: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            early: None,
            jitter: 0.0,
            timeout_err: None,
            timeout_none: None,
            refresh_in_foreground: false,
            single_flight: SingleFlight::Cluster,
            wait: Duration::from_secs(30),
            soft_timeout: None,
            hard_timeout: None,
            lease: Duration::from_secs(10),
            lease_max: Duration::from_mins(10),
            near: 10_000,
        }
    }
}
