//! Instants that all processes of a machine read from one clock.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Nanoseconds of the machine's monotonic clock, to be compared across processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SharedInstant(u64);

impl SharedInstant {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Monotonic);
        let since = Duration::new(
            time.tv_sec.try_into().expect("a monotonic clock starts at zero"),
            time.tv_nsec.try_into().expect("nanoseconds are below a second"),
        );
        Self(since.as_nanos().try_into().expect("the machine runs for less than 584 years"))
    }

    /// The instant `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).expect("a test takes less than 584 years");
        Self(self.0 + nanos)
    }

    /// How long it is from `earlier` to this instant; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
