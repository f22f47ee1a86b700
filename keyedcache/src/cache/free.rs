//! The functions that work on the default cache: the one registered as `default`, or the one the
//! environment describes, or one in memory.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::key::Key;
use crate::observe::CacheStats;
use crate::policy::Timeout;

use super::registry::default_cache;
use super::{Add, Boxed, CacheTtl, Delete, Get, GetOrSet, Increment, Request, Set};

/// The value under a key, in the default cache; see [`Cache::get`](super::Cache::get).
///
/// ```
/// use keyedcache::{NotCachedReason, cache_get, cache_key, cache_set};
///
/// cache_set(cache_key!("product", 123), "lamp").wait()?;
/// assert_eq!(cache_get::<String>(cache_key!(product = 123)).wait()?, "lamp");
/// let missing = cache_get::<String>(cache_key!("product", 7)).wait().unwrap_err();
/// assert_eq!(missing.reason, NotCachedReason::Absent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_get<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    key: impl Into<Key>,
) -> Get<T> {
    default_cache().get(key)
}

/// Stores a value under a key, in the default cache; see [`Cache::set`](super::Cache::set).
///
/// ```
/// use std::time::Duration;
/// use keyedcache::{Timeout, cache_key, cache_set};
///
/// cache_set(cache_key!("product", 123), "lamp").wait()?; // for the cache's timeout
/// cache_set(cache_key!("product", 123), "lamp").timeout(Duration::from_secs(5)).wait()?;
/// cache_set(cache_key!("product", 123), "lamp").timeout(Timeout::Never).wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_set<T: Serialize + Sync + ?Sized>(key: impl Into<Key>, value: &T) -> Set<'_, T> {
    default_cache().set(key, value)
}

/// Stores a value under a key if none is there, in the default cache; see [`Cache::add`](super::Cache::add).
///
/// ```
/// use keyedcache::{cache_add, cache_key};
///
/// assert!(cache_add(cache_key!("first"), &1).wait()?);
/// assert!(!cache_add(cache_key!("first"), &2).wait()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_add<T: Serialize + Sync + ?Sized>(key: impl Into<Key>, value: &T) -> Add<'_, T> {
    default_cache().add(key, value)
}

/// The value under a key, computed once if it is missing, in the default cache; see [`Cache::get_or_set`](super::Cache::get_or_set).
///
/// ```
/// use keyedcache::{cache_get_or_set, cache_key};
///
/// let report = || cache_get_or_set(cache_key!("report", 7)).timeout(3600);
/// assert_eq!(report().compute(async || "slow".to_owned()).wait(), "slow");
/// assert_eq!(report().compute(async || "not run".to_owned()).wait(), "slow");
/// ```
pub fn cache_get_or_set(key: impl Into<Key>) -> GetOrSet {
    default_cache().get_or_set(key)
}

/// Deletes what is under a key, in the default cache; see [`Cache::delete`](super::Cache::delete).
///
/// ```
/// use keyedcache::{cache_contains, cache_delete, cache_key, cache_set};
///
/// cache_set(cache_key!("shop", "lamp"), &5).wait()?;
/// assert_eq!(cache_delete(cache_key!("shop", "lamp")).wait()?, 1);
/// cache_set(cache_key!("shop", "chair"), &9).wait()?;
/// cache_delete(cache_key!("shop")).children().wait()?; // and all below it
/// assert!(!cache_contains(cache_key!("shop", "chair")).wait());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_delete(key: impl Into<Key>) -> Delete {
    default_cache().delete(key)
}

/// Whether something is under a key, in the default cache; see [`Cache::contains`](super::Cache::contains).
///
/// ```
/// use keyedcache::{cache_contains, cache_key, cache_set};
///
/// cache_set(cache_key!("a"), &1).wait()?;
/// assert!(cache_contains(cache_key!("a")).wait());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_contains(key: impl Into<Key>) -> Request<Boxed<'static, bool>> {
    default_cache().contains(key)
}

/// Gives what is under a key another life, in the default cache; see [`Cache::touch`](super::Cache::touch).
///
/// ```
/// use keyedcache::{cache_key, cache_set, cache_touch};
///
/// cache_set(cache_key!("session"), &1).wait()?;
/// assert!(cache_touch(cache_key!("session"), 60).wait()?);
/// assert!(!cache_touch(cache_key!("nobody"), 60).wait()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_touch(
    key: impl Into<Key>,
    timeout: impl Into<Timeout>,
) -> Request<Boxed<'static, Result<bool, Error>>> {
    default_cache().touch(key, timeout)
}

/// Lets what is under a key live for ever, in the default cache; see [`Cache::persist`](super::Cache::persist).
///
/// ```
/// use keyedcache::{CacheTtl, cache_key, cache_persist, cache_set, cache_ttl};
///
/// cache_set(cache_key!("kept"), &1).wait()?;
/// assert!(cache_persist(cache_key!("kept")).wait()?);
/// assert_eq!(cache_ttl(cache_key!("kept")).wait()?, CacheTtl::NoExpiry);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_persist(key: impl Into<Key>) -> Request<Boxed<'static, Result<bool, Error>>> {
    default_cache().persist(key)
}

/// How long what is under a key still is fresh, in the default cache; see [`Cache::ttl`](super::Cache::ttl).
///
/// ```
/// use keyedcache::{CacheTtl, cache_key, cache_set, cache_ttl};
///
/// cache_set(cache_key!("a"), &1).timeout(60).wait()?;
/// assert!(matches!(cache_ttl(cache_key!("a")).wait()?, CacheTtl::Left(left) if left.as_secs() <= 60));
/// assert_eq!(cache_ttl(cache_key!("b")).wait()?, CacheTtl::NoKey);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_ttl(key: impl Into<Key>) -> Request<Boxed<'static, Result<CacheTtl, Error>>> {
    default_cache().ttl(key)
}

/// Adds to the integer under a key, in the default cache; see [`Cache::increment`](super::Cache::increment).
///
/// ```
/// use keyedcache::{cache_increment, cache_key};
///
/// assert_eq!(cache_increment(cache_key!("visits"), 1).starting_at(0).wait()?, 1);
/// assert_eq!(cache_increment(cache_key!("visits"), 2).wait()?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_increment(key: impl Into<Key>, by: i64) -> Increment {
    default_cache().increment(key, by)
}

/// Subtracts from the integer under a key, in the default cache; see [`Cache::decrement`](super::Cache::decrement).
///
/// ```
/// use keyedcache::{cache_decrement, cache_key, cache_set};
///
/// cache_set(cache_key!("stock"), &10).wait()?;
/// assert_eq!(cache_decrement(cache_key!("stock"), 3).wait()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_decrement(key: impl Into<Key>, by: i64) -> Increment {
    default_cache().decrement(key, by)
}

/// The values under these keys, in the default cache; see [`Cache::get_many`](super::Cache::get_many).
///
/// ```
/// use keyedcache::{cache_get_many, cache_key, cache_set};
///
/// cache_set(cache_key!("product", 1), "lamp").wait()?;
/// let found = cache_get_many::<String>([1, 2].map(|id| cache_key!("product", id))).wait();
/// assert_eq!(found.len(), 1);
/// assert_eq!(found[&cache_key!("product", 1)], "lamp");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_get_many<T: DeserializeOwned + Send + 'static>(
    keys: impl IntoIterator<Item = Key>,
) -> Request<Boxed<'static, HashMap<Key, T>>> {
    default_cache().get_many(keys)
}

/// Stores several values, in the default cache; see [`Cache::set_many`](super::Cache::set_many).
///
/// ```
/// use keyedcache::{cache_key, cache_set_many};
///
/// cache_set_many([(cache_key!("a"), &1), (cache_key!("b"), &2)]).wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_set_many<'a, T: Serialize + Sync + 'a>(
    entries: impl IntoIterator<Item = (Key, &'a T)>,
) -> Request<Boxed<'a, Result<(), Error>>> {
    default_cache().set_many(entries)
}

/// Deletes what is under these keys, in the default cache; see [`Cache::delete_many`](super::Cache::delete_many).
///
/// ```
/// use keyedcache::{cache_delete_many, cache_key, cache_set};
///
/// cache_set(cache_key!("product", 1), &1).wait()?;
/// assert_eq!(cache_delete_many([1, 2].map(|id| cache_key!("product", id))).wait()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_delete_many(
    keys: impl IntoIterator<Item = Key>,
) -> Request<Boxed<'static, Result<usize, Error>>> {
    default_cache().delete_many(keys)
}

/// Forgets everything, in the default cache; see [`Cache::clear`](super::Cache::clear).
///
/// ```
/// use keyedcache::{cache_clear, cache_contains, cache_key, cache_set};
///
/// cache_set(cache_key!("a"), &1).wait()?;
/// cache_clear().wait()?;
/// assert!(!cache_contains(cache_key!("a")).wait());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_clear() -> Request<Boxed<'static, Result<usize, Error>>> {
    default_cache().clear()
}

/// Probes the store, in the default cache; see [`Cache::require`](super::Cache::require).
///
/// ```
/// keyedcache::cache_require().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_require() -> Request<Boxed<'static, Result<(), Error>>> {
    default_cache().require()
}

/// Switches reading and saving on or off, in the default cache; see [`Cache::enable`](super::Cache::enable).
///
/// ```
/// use keyedcache::{cache_contains, cache_enable, cache_key, cache_set};
///
/// cache_enable(false);
/// cache_set(cache_key!("a"), &1).wait()?; // dropped
/// cache_enable(true);
/// assert!(!cache_contains(cache_key!("a")).wait());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cache_enable(enabled: bool) {
    default_cache().enable(enabled);
}

/// Whether reading and saving are on, in the default cache; see [`Cache::is_enabled`](super::Cache::is_enabled).
///
/// ```
/// assert!(keyedcache::cache_enabled());
/// ```
#[must_use]
pub fn cache_enabled() -> bool {
    default_cache().is_enabled()
}

/// What was done in this process, in the default cache; see [`Cache::stats`](super::Cache::stats).
///
/// ```
/// use keyedcache::{cache_get, cache_key, cache_stats};
///
/// let _ = cache_get::<u8>(cache_key!("nothing")).wait();
/// assert!(cache_stats().misses > 0);
/// ```
#[must_use]
pub fn cache_stats() -> CacheStats {
    default_cache().stats()
}
