//! What heartbeats vouch for: that every push so far has come, and what time it is where the records
//! are.
//!
//! - Trust counts from when the heartbeat was *sent* that was answered: what the server pushed before
//!   it answered came before the answer.
//! - A process that was stopped, or a machine that was suspended, wakes without trust: one of two
//!   clocks has gone on.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::{self, Clock, Moment, Ticks};

/// Until when pushes are trusted; read at each near hit.
#[derive(Debug, Default)]
pub(super) struct Trust {
    steady_until: AtomicU64,
    wall_from: AtomicU64,
    wall_until: AtomicU64,
    /// The connection whose pushes are trusted; 0 is none.
    connection: Mutex<u64>,
}

impl Trust {
    /// Pushes of this connection count from now on, once it is vouched for.
    pub(super) fn begin(&self, connection: u64) {
        let mut current = self.connection.lock();
        *current = connection;
        self.steady_until.store(0, Ordering::Release);
    }

    /// What this connection has pushed is complete as of `sent`.
    pub(super) fn vouch(&self, connection: u64, sent: Ticks, near_trust: Duration) {
        let lasting = u64::try_from(near_trust.as_millis()).unwrap_or(u64::MAX);
        let current = self.connection.lock();
        if *current != connection {
            return;
        }
        self.wall_from.store(sent.wall, Ordering::Release);
        self.wall_until.store(sent.wall.saturating_add(lasting), Ordering::Release);
        self.steady_until.store(sent.steady.saturating_add(lasting), Ordering::Release);
    }

    /// Nothing is trusted, if it was this connection that was; says whether it was.
    pub(super) fn end(&self, connection: u64) -> bool {
        let mut current = self.connection.lock();
        if *current != connection {
            return false;
        }
        *current = 0;
        self.steady_until.store(0, Ordering::Release);
        true
    }

    #[inline]
    pub(super) fn holds(&self) -> bool {
        let until = self.steady_until.load(Ordering::Acquire);
        if until == 0 {
            return false;
        }
        let now = clock::coarse_ticks();
        now.steady < until
            && now.wall >= self.wall_from.load(Ordering::Acquire)
            && now.wall < self.wall_until.load(Ordering::Acquire)
    }
}

/// The server's clock, as far as heartbeats tell it: the process's own before the first.
#[derive(Debug)]
pub(super) struct ServerClock {
    /// What is to be added to how long the machine has been up, in microseconds.
    offset: AtomicI64,
    /// The latest that was told: it never goes back, but for a server that is set back.
    told: AtomicU64,
}

/// A step back by more than this is the server's own, and is followed.
const STEP: i64 = 1_000_000;

impl ServerClock {
    pub(super) fn new() -> Self {
        let offset = offset(Clock::system().now(), clock::uptime());
        Self { offset: AtomicI64::new(offset), told: AtomicU64::new(0) }
    }

    /// The server said that it was `time` halfway between these two.
    pub(super) fn set(&self, time: Moment, asked: Duration, answered: Duration) {
        let new = offset(time, asked + answered.saturating_sub(asked) / 2);
        let old = self.offset.swap(new, Ordering::AcqRel);
        if new < old.saturating_sub(STEP) {
            self.told.store(0, Ordering::Release);
        }
    }

    pub(super) fn now(&self) -> Moment {
        let up = micros(clock::uptime());
        let now = up.saturating_add_signed(self.offset.load(Ordering::Acquire));
        Moment::from_micros(self.told.fetch_max(now, Ordering::AcqRel).max(now))
    }
}

fn offset(time: Moment, up: Duration) -> i64 {
    let (time, up) = (i128::from(time.as_micros()), i128::from(micros(up)));
    i64::try_from(time - up).unwrap_or(i64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR_TRUST: Duration = Duration::from_secs(100);

    #[test]
    fn only_the_current_connection_is_vouched_for() {
        let trust = Trust::default();
        let now = clock::coarse_ticks();
        trust.vouch(1, now, NEAR_TRUST);
        assert!(!trust.holds());
        trust.begin(1);
        assert!(!trust.holds(), "a new connection has been asked nothing yet");
        trust.vouch(2, now, NEAR_TRUST);
        assert!(!trust.holds());
        trust.vouch(1, now, NEAR_TRUST);
        assert!(trust.holds());
        assert!(!trust.end(2) && trust.holds());
        assert!(trust.end(1) && !trust.holds());
        trust.vouch(1, now, NEAR_TRUST);
        assert!(!trust.holds(), "a heartbeat answered late revives nothing");
    }

    #[test]
    fn trust_ends_by_either_clock_and_by_one_set_back() {
        let now = clock::coarse_ticks();
        for (steady, wall, holds) in [
            (now.steady, now.wall, true),
            (now.steady - 200_000, now.wall, false),
            (now.steady, now.wall - 200_000, false),
            (now.steady, now.wall + 200_000, false),
        ] {
            let trust = Trust::default();
            trust.begin(1);
            trust.vouch(1, Ticks { steady, wall }, NEAR_TRUST);
            assert_eq!(trust.holds(), holds, "{steady} {wall}");
        }
    }

    #[test]
    fn clock_is_the_servers() {
        let clock = ServerClock::new();
        let up = clock::uptime();
        let ahead = Clock::system().now().plus(Duration::from_mins(15));
        clock.set(ahead, up, up + Duration::from_millis(2));
        let now = clock.now();
        assert!(
            now.since(ahead) < Duration::from_secs(10) && now.plus(Duration::from_secs(10)) > ahead
        );
    }

    #[test]
    fn clock_never_goes_back_a_little_and_follows_a_server_set_back() {
        let clock = ServerClock::new();
        let up = clock::uptime();
        let now = clock.now();
        clock.set(now.minus(Duration::from_millis(500)), up, up);
        assert!(clock.now() >= now);
        clock.set(now.minus(Duration::from_hours(1)), up, up);
        assert!(clock.now() < now);
    }
}
