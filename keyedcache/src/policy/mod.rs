//! What is decided from times and numbers alone: no I/O, no clock, no random source.

mod freshness;
mod options;
mod spread;

pub(crate) use freshness::{Freshness, MissingBecause, Standing, Times, head_start, judge};
pub(crate) use options::Policy;
pub use options::{IntoTimeout, SingleFlight, Timeout};
pub(crate) use spread::spread;
