//! Keyed function memoization: computed once across threads, tasks and processes.

pub mod clock;
mod error;
pub mod record;
mod runtime;
pub mod store;

pub use clock::{Clock, Moment};
pub use error::{Error, ErrorKind, NotCachedError, NotCachedReason};
