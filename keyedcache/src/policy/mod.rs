//! What is decided from times and numbers alone: no I/O, no clock, no random source.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the path of a call will use it")
)]
pub(crate) mod freshness;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the path of a call will use it")
)]
pub(crate) mod spread;

use std::time::Duration;

/// How long what is stored is fresh.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Timeout {
    /// For this long. Zero means: not stored, and what was there goes.
    After(Duration),
    /// For ever.
    Never,
}

impl From<Duration> for Timeout {
    fn from(duration: Duration) -> Self {
        Self::After(duration)
    }
}
