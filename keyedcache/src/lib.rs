//! Keyed function memoization: computed once across threads, tasks and processes.

#[doc(hidden)]
pub mod __private;
pub mod clock;
mod error;
pub mod record;
#[doc(hidden)]
pub mod shape;
pub mod store;

pub use __private::{Key, KeyPart, Request, Timeout};
pub use clock::{Clock, Moment};
pub use error::{Error, ErrorKind, NotCachedError, NotCachedReason};
#[cfg(feature = "macros")]
pub use keyedcache_macros::{cache_delete_function, cached};
