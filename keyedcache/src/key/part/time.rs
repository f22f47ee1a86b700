//! Durations and moments of the system's clock, to the nanosecond.
//!
//! A duration is written in seconds (`1.5s`), a moment in seconds since the Unix epoch (`@1.5`). An
//! [`Instant`](std::time::Instant) means nothing outside its process, so it is no part of a key.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::own_identity;
use crate::key::{KeyEncoder, KeyPart};

impl KeyPart for Duration {
    own_identity!(Duration);

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.verbatim(format_args!("{}s", Seconds(*self)));
    }
}

impl KeyPart for SystemTime {
    own_identity!(SystemTime);

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        match self.duration_since(UNIX_EPOCH) {
            Ok(after) => out.verbatim(format_args!("@{}", Seconds(after))),
            Err(before) => out.verbatim(format_args!("@-{}", Seconds(before.duration()))),
        }
    }
}

/// Seconds with as many decimals as are needed.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs())?;
        let (mut decimals, mut width) = (self.0.subsec_nanos(), 9);
        if decimals == 0 {
            return Ok(());
        }
        while decimals % 10 == 0 {
            decimals /= 10;
            width -= 1;
        }
        write!(f, ".{decimals:0width$}")
    }
}
