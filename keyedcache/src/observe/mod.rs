//! What the caches of this process did: counters that cost nanoseconds, and snapshots of them.

mod counter;
mod stats;

pub(crate) use counter::Counter;
pub use stats::CacheStats;
pub(crate) use stats::Counters;
