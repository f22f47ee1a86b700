//! Caches: a store and its settings, and the path that calls and values take through them.
//!
//! [`Cache`] is what users hold. Inside, `call` finds an answer or the right to compute it, `lead` is
//! that right, and `value` is everything that is done with one key by hand.

mod builder;
mod call;
pub mod config;
mod core;
mod count;
mod free;
mod get_or_set;
mod hit;
mod lead;
mod limits;
mod look;
mod patience;
mod plan;
mod probe;
mod registry;
mod renewal;
mod request;
mod scopes;
mod value;
mod verbs;

pub use builder::CacheBuilder;
pub use free::{
    cache_add, cache_clear, cache_contains, cache_decrement, cache_delete, cache_delete_many,
    cache_enable, cache_enabled, cache_get, cache_get_many, cache_get_or_set, cache_increment,
    cache_persist, cache_require, cache_set, cache_set_many, cache_stats, cache_touch, cache_ttl,
};
pub use get_or_set::GetOrSet;
pub use request::{Add, Boxed, Delete, Get, Increment, Request, Set};
pub use verbs::CacheTtl;

pub(crate) use core::Core;
pub(crate) use lead::{Leader, Refresher, take};
pub(crate) use limits::Limits;
pub(crate) use look::Decode;
pub(crate) use plan::{Begin, Call, Plan};
pub(crate) use registry::{DEFAULT_ALIAS, Watcher, named_or_broken, watch_registry};
pub(crate) use value::Value;

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::observe::CacheStats;

/// A cache: a handle that is cheap to clone, and whose clones are the same cache.
///
/// The free functions and `#[cached]` use the one registered as `default`; where none is, the
/// environment names it (`KEYEDCACHE_URL`, `KEYEDCACHE_CONFIG`), and where that says nothing it is
/// kept in memory.
///
/// ```
/// use keyedcache::{Cache, cache_key};
///
/// let cache = Cache::from_url("memory:")?;
/// cache.set(cache_key!("answer"), &42).wait()?;
/// assert_eq!(cache.get::<i32>(cache_key!("answer")).wait().ok(), Some(42));
/// # Ok::<(), keyedcache::Error>(())
/// ```
#[derive(Clone)]
pub struct Cache(Arc<Core>);

impl Cache {
    /// Starts a cache of one's own making.
    pub fn builder() -> CacheBuilder {
        CacheBuilder::new()
    }

    /// The cache this URL describes: `memory:`, `disk:/var/cache/app?timeout=5m`, `null:`.
    ///
    /// # Errors
    ///
    /// When the URL is wrong, or the store cannot be opened.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Self::builder().url(url).build()
    }

    /// The cache registered under this alias.
    ///
    /// # Errors
    ///
    /// When there is none; the message lists those there are.
    pub fn named(alias: &str) -> Result<Self, Error> {
        registry::named(alias)
    }

    /// Registers it under an alias, in place of what was there; every cached function notices. Until
    /// then nothing uses it but this handle.
    ///
    /// # Errors
    ///
    /// When the alias has other characters than letters, digits, `_` and `-`.
    pub fn register(&self, alias: &str) -> Result<(), Error> {
        registry::register(alias, self.clone())
    }

    /// Switches reading and saving on or off in this process. While a cache is disabled every read
    /// misses, what is set is dropped, counting fails with
    /// [`Disabled`](crate::ErrorKind::Disabled), and every function computes; deletes and
    /// invalidations take effect.
    pub fn enable(&self, enabled: bool) {
        self.0.enable(enabled);
    }

    /// Whether it is enabled; it is unless [`enable`](Self::enable) said otherwise.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.0.is_enabled()
    }

    /// What it did since it was built, in this process.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.0.stats()
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
