//! The server's clock, told from the `Date` of its answers.
//!
//! `Date` has whole seconds, so each answer says only between which bounds the server's clock is
//! ahead of ours. What all answers agree on narrows the bounds; one that contradicts them (a clock
//! has been set) replaces them. Within the bounds ours is believed as far as possible: machines whose
//! clocks are right agree to the millisecond, others to a second at first, and better with time.

use parking_lot::Mutex;

use crate::clock::{Clock, Moment};

/// Microseconds by which the server is ahead, at least and at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    least: i64,
    most: i64,
}

impl Bounds {
    const UNKNOWN: Self = Self { least: i64::MIN, most: i64::MAX };

    fn narrowed(self, by: Self) -> Self {
        let both = Self { least: self.least.max(by.least), most: self.most.min(by.most) };
        if both.least <= both.most { both } else { by }
    }

    /// The bound nearest to zero, or zero.
    fn ahead(self) -> i64 {
        0.clamp(self.least, self.most)
    }
}

/// The server's clock.
#[derive(Debug)]
pub(super) struct ServerClock {
    own: Clock,
    bounds: Mutex<Bounds>,
}

impl ServerClock {
    pub(super) fn new(own: Clock) -> Self {
        Self { own, bounds: Mutex::new(Bounds::UNKNOWN) }
    }

    /// Now, as the server would say; our own time until it has said anything.
    pub(super) fn now(&self) -> Moment {
        let ahead = self.bounds.lock().ahead();
        Moment::from_micros(self.own.now().as_micros().saturating_add_signed(ahead))
    }

    /// Our own time, for [`heard`](Self::heard).
    pub(super) fn own_now(&self) -> Moment {
        self.own.now()
    }

    /// The server said it was this second, at some moment since `asked` by our clock.
    pub(super) fn heard(&self, second: u64, asked: Moment) {
        const SECOND: i64 = 1_000_000;
        let signed = |moment: Moment| i64::try_from(moment.as_micros()).unwrap_or(i64::MAX);
        let Ok(second) = i64::try_from(second) else { return };
        let said = second.saturating_mul(SECOND);
        let sample = Bounds {
            least: said.saturating_sub(signed(self.own.now())),
            most: said.saturating_add(SECOND - 1).saturating_sub(signed(asked)),
        };
        if sample.least <= sample.most {
            let mut bounds = self.bounds.lock();
            *bounds = bounds.narrowed(sample);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: u64 = 1_700_000_000_300_000;

    fn clock() -> (Clock, ServerClock) {
        let own = Clock::manual(Moment::from_micros(START));
        (own.clone(), ServerClock::new(own))
    }

    #[test]
    fn own_clock_is_believed_where_the_server_does_not_contradict_it() {
        let (own, server) = clock();
        assert_eq!(server.now(), own.now());
        server.heard(1_700_000_000, own.now());
        assert_eq!(server.now(), own.now());
    }

    #[test]
    fn server_a_quarter_of_an_hour_apart_is_told_to_the_second_and_better_with_time() {
        for apart in [900_i64, -900] {
            let (own, server) = clock();
            let error = |server: &ServerClock| {
                let truth = own.now().as_micros().saturating_add_signed(apart * 1_000_000);
                server.now().as_micros().abs_diff(truth)
            };
            let hear = |server: &ServerClock| {
                let truth = own.now().as_micros().saturating_add_signed(apart * 1_000_000);
                server.heard(truth / 1_000_000, own.now());
            };
            hear(&server);
            assert!(error(&server) <= 1_000_000, "{apart}: {}", error(&server));
            for _ in 0..50 {
                own.advance(Duration::from_millis(170));
                hear(&server);
            }
            assert!(error(&server) <= 30_000, "{apart}: {}", error(&server));
        }
    }

    #[test]
    fn clock_that_is_set_is_noticed() {
        let (own, server) = clock();
        server.heard(1_700_000_000, own.now());
        server.heard(1_700_000_900, own.now());
        assert!(server.now().since(own.now()) >= Duration::from_secs(899));
        server.heard(1_700_000_000, own.now());
        assert_eq!(server.now(), own.now());
    }

    #[test]
    fn answer_that_took_long_says_less() {
        let (own, server) = clock();
        let asked = own.now();
        own.advance(Duration::from_mins(15));
        server.heard(1_700_000_000, asked);
        assert_eq!(server.now(), own.now(), "it may have been said a quarter of an hour ago");
    }
}
