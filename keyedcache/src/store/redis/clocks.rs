//! The time where the records are, by which their ages are measured.
//!
//! - It is the servers' and not the process's, so that processes whose clocks differ agree.
//! - Of several servers it is the middle one's: all processes hear the same ones, so they agree,
//!   whatever one of them says; and that one comes or goes shifts it by no more than the others differ.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::{self, Clock, Moment};

/// The servers' clock, as far as heartbeats tell it: the process's own before the first.
#[derive(Debug)]
pub(super) struct ServerClock {
    /// What is to be added to how long the machine has been up, in microseconds.
    offset: AtomicI64,
    /// The latest that was told: it never goes back, but for a server that is set back.
    told: AtomicU64,
    /// The offset of each server that has told it.
    servers: Mutex<Vec<(u64, i64)>>,
}

/// A step back by more than this is the server's own, and is followed.
const STEP: i64 = 1_000_000;

impl Default for ServerClock {
    fn default() -> Self {
        let offset = offset(Clock::system().now(), clock::uptime());
        Self { offset: AtomicI64::new(offset), told: AtomicU64::new(0), servers: Mutex::default() }
    }
}

impl ServerClock {
    /// This server said that it was `time` halfway between these two.
    pub(super) fn set(&self, server: u64, time: Moment, asked: Duration, answered: Duration) {
        let new = offset(time, asked + answered.saturating_sub(asked) / 2);
        let mut servers = self.servers.lock();
        servers.retain(|(other, _)| *other != server);
        servers.push((server, new));
        self.choose(&servers);
    }

    /// This server tells no time any more.
    pub(super) fn dismiss(&self, server: u64) {
        let mut servers = self.servers.lock();
        servers.retain(|(other, _)| *other != server);
        self.choose(&servers);
    }

    fn choose(&self, servers: &[(u64, i64)]) {
        let mut offsets: Vec<_> = servers.iter().map(|(_, offset)| *offset).collect();
        offsets.sort_unstable();
        let Some(&new) = offsets.get(offsets.len().saturating_sub(1) / 2) else { return };
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

    #[test]
    fn clock_is_the_servers() {
        let clock = ServerClock::default();
        let up = clock::uptime();
        let ahead = Clock::system().now().plus(Duration::from_mins(15));
        clock.set(1, ahead, up, up + Duration::from_millis(2));
        let now = clock.now();
        assert!(
            now.since(ahead) < Duration::from_secs(10) && now.plus(Duration::from_secs(10)) > ahead
        );
    }

    #[test]
    fn clock_never_goes_back_a_little_and_follows_a_server_set_back() {
        let clock = ServerClock::default();
        let up = clock::uptime();
        let now = clock.now();
        clock.set(1, now.minus(Duration::from_millis(500)), up, up);
        assert!(clock.now() >= now);
        clock.set(1, now.minus(Duration::from_hours(1)), up, up);
        assert!(clock.now() < now);
    }

    #[test]
    fn of_several_servers_the_middle_one_tells_the_time() {
        let clock = ServerClock::default();
        let (now, up) = (Clock::system().now(), clock::uptime());
        let minutes = Duration::from_mins;
        clock.set(1, now.plus(minutes(15)), up, up);
        clock.set(2, now.plus(minutes(30)), up, up);
        clock.set(3, now.plus(minutes(500)), up, up);
        let is_about = |expected: Moment| {
            let told = clock.now();
            told.since(expected) < minutes(1) && expected.since(told) < minutes(1)
        };
        assert!(is_about(now.plus(minutes(30))));
        clock.dismiss(3);
        assert!(is_about(now.plus(minutes(15))));
        clock.dismiss(1);
        assert!(is_about(now.plus(minutes(30))));
        clock.dismiss(2);
        assert!(is_about(now.plus(minutes(30))), "it goes on as the last one said");
    }
}
