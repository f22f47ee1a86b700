//! Moments and the clock they come from; nothing else in the crate asks the system for the time.
//!
//! A [`Moment`] is wall-clock time, since it is compared with what other processes and machines
//! wrote. How long something took is measured with [`std::time::Instant`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The moment that never comes: later than every other.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `micros` microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The moment `duration` later; [`Moment::NEVER`] when that is past what can be told.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_micros(duration)))
    }

    /// The moment `duration` earlier, at the earliest the Unix epoch; `NEVER` stays `NEVER`.
    #[must_use]
    pub const fn minus(self, duration: Duration) -> Self {
        if self.0 == u64::MAX {
            return self;
        }
        Self(self.0.saturating_sub(saturating_micros(duration)))
    }

    /// How long it is from `earlier` to this moment; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("Moment(never)");
        }
        write!(f, "Moment({}.{:06})", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

const fn saturating_micros(duration: Duration) -> u64 {
    let micros = duration.as_micros();
    if micros > u64::MAX as u128 {
        u64::MAX
    } else {
        #[allow(clippy::cast_possible_truncation)] // just checked
        {
            micros as u64
        }
    }
}

/// Where moments come from: the system's clock, or one that a test moves by hand.
///
/// Cheap to clone; clones of a manual clock are the same clock.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`advance`](Self::advance) moves it.
    #[must_use]
    pub fn manual(start: Moment) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(start.as_micros()))))
    }

    /// Now, to the microsecond.
    #[must_use]
    pub fn now(&self) -> Moment {
        match &self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Moment(saturating_micros(since))
            }
            Source::Manual(micros) => Moment(micros.load(Ordering::Acquire)),
        }
    }

    /// Now as of the kernel's last tick: up to [`COARSE`](Self::COARSE) late, for a few nanoseconds.
    ///
    /// The near cache reads it on every hit.
    #[must_use]
    #[inline]
    pub fn coarse_now(&self) -> Moment {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Source::System => Moment(coarse_micros(rustix::time::ClockId::RealtimeCoarse)),
            _ => self.now(),
        }
    }

    /// How far [`coarse_now`](Self::coarse_now) can lag behind [`now`](Self::now).
    pub const COARSE: Duration = Duration::from_millis(10);

    /// Whether `moment` has come. Tells to the microsecond, for as little as
    /// [`coarse_now`](Self::coarse_now) unless the moment is about to come or just has.
    #[cfg(feature = "disk")] // which asks it of every record it reads
    #[must_use]
    #[inline]
    pub(crate) fn has_come(&self, moment: Moment) -> bool {
        let early = self.coarse_now();
        moment <= early || (moment <= early.plus(Self::COARSE) && moment <= self.now())
    }

    /// Whether it is moved by hand.
    #[must_use]
    pub const fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    ///
    /// If this is the system's clock, which nobody moves.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::System => panic!("the system's clock cannot be moved; use Clock::manual"),
            Source::Manual(micros) => {
                micros.fetch_add(saturating_micros(by), Ordering::AcqRel);
            }
        }
    }
}

/// How long the machine has been up, the time it was suspended included where the system tells it:
/// what ages are measured by that must not stand still while nobody looks.
#[cfg(feature = "redis")] // whose servers' clocks are told by it
#[must_use]
pub(crate) fn uptime() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
    }
    #[cfg(not(target_os = "linux"))]
    {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed()
    }
}

/// Two clocks as of the kernel's last tick.
#[cfg(feature = "redis")] // whose pushes are trusted by both
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks {
    /// Microseconds by the clock that nobody sets.
    pub(crate) steady: u64,
    /// By the system's clock, which runs while the machine is suspended.
    pub(crate) wall: Moment,
}

#[cfg(feature = "redis")]
impl Ticks {
    /// Costs a few nanoseconds.
    #[must_use]
    #[inline]
    pub(crate) fn now() -> Self {
        Self::at(Clock::system().coarse_now())
    }

    /// The same, for who has just read the system's clock.
    #[must_use]
    #[inline]
    pub(crate) fn at(wall: Moment) -> Self {
        #[cfg(target_os = "linux")]
        let steady = coarse_micros(rustix::time::ClockId::MonotonicCoarse);
        #[cfg(not(target_os = "linux"))]
        let steady = u64::try_from(uptime().as_micros()).unwrap_or(u64::MAX);
        Self { steady, wall }
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn coarse_micros(clock: rustix::time::ClockId) -> u64 {
    let time = rustix::time::clock_gettime(clock);
    #[allow(clippy::cast_sign_loss)] // a clock before 1970 only ages everything
    let micros =
        (time.tv_sec as u64).wrapping_mul(1_000_000).wrapping_add(time.tv_nsec as u64 / 1_000);
    micros
}
