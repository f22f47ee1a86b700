//! Keyed function memoization: what a slow function answered is remembered under a readable key, in
//! this process and in a store that processes share, and one caller computes while all others, in
//! every process, wait for that answer.
//!
//! ```
//! use keyedcache::{cache_delete_function, cached};
//!
//! #[cached(timeout = 60)]
//! fn nearest_restaurant(x: i32, y: i32) -> String {
//!     format!("three slow seconds from ({x}, {y})")
//! }
//!
//! nearest_restaurant(2, 6); // slow
//! nearest_restaurant(2, 6); // fast, here and in every process that shares the store
//! cache_delete_function!(nearest_restaurant).wait()?; // forgotten, everywhere
//! # Ok::<(), keyedcache::Error>(())
//! ```
//!
//! - [`#[cached]`](macro@cached) annotates functions, sync and async; [`cache_function`] wraps one
//!   without touching it.
//! - [`cache_get`], [`cache_set`], [`cache_get_or_set`] and their like keep values under keys that
//!   [`cache_key!`] makes.
//! - [`Cache`] is a store and its settings; which one serves is configuration. The free functions
//!   and `#[cached]` use the one registered as `default`.
//! - What is told to a cache is a [`Request`]: `.await` it in async code, `.wait()` it in sync code.
//! - [`store::Store`] is what a store of one's own implements.
//!
//! What a call of a cached function costs: a hit in this process tens of nanoseconds and no
//! allocation; a hit in the store one round trip; a miss two round trips and one to save.

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
mod object;
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
pub use error::{Error, ErrorKind, NotCachedError, NotCachedReason, TimedOut};
pub use function::{cache_async_function, cache_delete_function, cache_function};
pub use key::{Key, KeyPart};
#[cfg(feature = "macros")]
pub use keyedcache_macros::{CachedObject, KeyPart, cache_delete_function, cached};
pub use object::CachedObject;
pub use observe::CacheStats;
pub use policy::{SingleFlight, Timeout};
