//! Keyed function memoization: computed once across threads, tasks and processes.

pub mod cache;
pub mod clock;
mod error;
mod policy;
pub mod record;
mod runtime;
pub mod store;

pub use clock::{Clock, Moment};
pub use error::{Error, ErrorKind, NotCachedError, NotCachedReason};
pub use policy::Timeout;
