//! How long an operation goes on trying, and how it pauses in between.

use std::time::{Duration, Instant};

use super::fault::{Fault, Outcome};
use crate::error::Error;
use crate::runtime;

/// The longest pause between two requests for one thing.
const LONGEST: Duration = Duration::from_secs(1);

/// What is left of an operation's time.
#[derive(Debug)]
pub(super) struct Patience {
    until: Instant,
    tries: u32,
}

impl Patience {
    pub(super) fn of(time: Duration) -> Self {
        Self { until: runtime::after(time), tries: 0 }
    }

    /// Pauses, longer each time; `false`, at once, if there is no time for another try.
    pub(super) async fn pause(&mut self) -> bool {
        let pause = pause(self.tries, LONGEST);
        self.tries += 1;
        let left = self.until.saturating_duration_since(Instant::now());
        if pause >= left {
            return false;
        }
        runtime::sleep(pause).await;
        true
    }

    /// Pauses before a request that may be sent again is; the error if it may not, or there is no
    /// time.
    pub(super) async fn again(&mut self, fault: Fault) -> Result<(), Error> {
        let may_help = matches!(fault.outcome, Outcome::Busy | Outcome::Unknown);
        if may_help && self.pause().await { Ok(()) } else { Err(fault.error) }
    }
}

/// How long to pause before the `n`th time something is tried again: twice as long each time, with
/// chance in it, so that those who wait for one thing do not all come at once.
pub(super) fn pause(n: u32, longest: Duration) -> Duration {
    const FIRST: Duration = Duration::from_millis(20);
    let whole = FIRST.saturating_mul(1 << n.min(16)).min(longest);
    let chance = u32::from(crate::record::random_bytes::<1>()[0]);
    whole / 2 + whole / 2 * chance / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_twenty_milliseconds_to_the_longest_with_chance_in_them() {
        for (n, whole) in [(0, 20), (1, 40), (3, 160), (6, 1_000), (60, 1_000)] {
            let whole = Duration::from_millis(whole);
            let pauses: Vec<_> = (0..50).map(|_| pause(n, LONGEST)).collect();
            assert!(pauses.iter().all(|pause| (whole / 2..=whole).contains(pause)), "{n}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{n}: no chance");
        }
    }
}
