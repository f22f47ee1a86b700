//! Keyed function memoization: computed once across threads, tasks and processes.

#[doc(hidden)]
pub mod __private;
pub mod cache;
pub mod clock;
pub mod codec;
pub mod compress;
mod error;
mod flight;
mod function;
mod generation;
pub mod key;
mod near;
mod observe;
mod policy;
pub mod record;
mod runtime;
#[doc(hidden)]
pub mod shape;
pub mod store;

pub use cache::{
    Cache, CacheBuilder, CacheTtl, Request, cache_add, cache_clear, cache_contains,
    cache_decrement, cache_delete, cache_delete_many, cache_enable, cache_enabled, cache_get,
    cache_get_many, cache_get_or_set, cache_increment, cache_persist, cache_require, cache_set,
    cache_set_many, cache_stats, cache_touch, cache_ttl,
};
pub use clock::{Clock, Moment};
pub use error::{Error, ErrorKind, NotCachedError, NotCachedReason};
pub use function::{cache_async_function, cache_delete_function, cache_function};
pub use key::{Key, KeyPart};
#[cfg(feature = "macros")]
pub use keyedcache_macros::{cache_delete_function, cached};
pub use observe::CacheStats;
pub use policy::{SingleFlight, Timeout};
