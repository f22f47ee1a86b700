//! The functions that work on the default cache: the one registered as `default`, or the one the
//! environment describes, or one in memory.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, NotCachedError};
use crate::key::Key;
use crate::observe::CacheStats;
use crate::policy::Timeout;

use super::registry::default_cache;
use super::{Add, Boxed, CacheTtl, Delete, GetOrSet, Increment, Request, Set};

/// The value under a key, in the default cache; see [`Cache::get`](super::Cache::get).
pub fn cache_get<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    key: impl Into<Key>,
) -> Request<Boxed<'static, Result<T, NotCachedError>>> {
    default_cache().get(key)
}

/// Stores a value under a key, in the default cache; see [`Cache::set`](super::Cache::set).
pub fn cache_set<T: Serialize + Sync + ?Sized>(key: impl Into<Key>, value: &T) -> Set<'_, T> {
    default_cache().set(key, value)
}

/// Stores a value under a key if none is there, in the default cache; see [`Cache::add`](super::Cache::add).
pub fn cache_add<T: Serialize + Sync + ?Sized>(key: impl Into<Key>, value: &T) -> Add<'_, T> {
    default_cache().add(key, value)
}

/// The value under a key, computed once if it is missing, in the default cache; see [`Cache::get_or_set`](super::Cache::get_or_set).
pub fn cache_get_or_set(key: impl Into<Key>) -> GetOrSet {
    default_cache().get_or_set(key)
}

/// Deletes what is under a key, in the default cache; see [`Cache::delete`](super::Cache::delete).
pub fn cache_delete(key: impl Into<Key>) -> Delete {
    default_cache().delete(key)
}

/// Whether something is under a key, in the default cache; see [`Cache::contains`](super::Cache::contains).
pub fn cache_contains(key: impl Into<Key>) -> Request<Boxed<'static, bool>> {
    default_cache().contains(key)
}

/// Gives what is under a key another life, in the default cache; see [`Cache::touch`](super::Cache::touch).
pub fn cache_touch(
    key: impl Into<Key>,
    timeout: impl Into<Timeout>,
) -> Request<Boxed<'static, Result<bool, Error>>> {
    default_cache().touch(key, timeout)
}

/// Lets what is under a key live for ever, in the default cache; see [`Cache::persist`](super::Cache::persist).
pub fn cache_persist(key: impl Into<Key>) -> Request<Boxed<'static, Result<bool, Error>>> {
    default_cache().persist(key)
}

/// How long what is under a key still is fresh, in the default cache; see [`Cache::ttl`](super::Cache::ttl).
pub fn cache_ttl(key: impl Into<Key>) -> Request<Boxed<'static, Result<CacheTtl, Error>>> {
    default_cache().ttl(key)
}

/// Adds to the integer under a key, in the default cache; see [`Cache::increment`](super::Cache::increment).
pub fn cache_increment(key: impl Into<Key>, by: i64) -> Increment {
    default_cache().increment(key, by)
}

/// Subtracts from the integer under a key, in the default cache; see [`Cache::decrement`](super::Cache::decrement).
pub fn cache_decrement(key: impl Into<Key>, by: i64) -> Increment {
    default_cache().decrement(key, by)
}

/// The values under these keys, in the default cache; see [`Cache::get_many`](super::Cache::get_many).
pub fn cache_get_many<T: DeserializeOwned + Send + 'static>(
    keys: impl IntoIterator<Item = Key>,
) -> Request<Boxed<'static, HashMap<Key, T>>> {
    default_cache().get_many(keys)
}

/// Stores several values, in the default cache; see [`Cache::set_many`](super::Cache::set_many).
pub fn cache_set_many<'a, T: Serialize + Sync + 'a>(
    entries: impl IntoIterator<Item = (Key, &'a T)>,
) -> Request<Boxed<'a, Result<(), Error>>> {
    default_cache().set_many(entries)
}

/// Deletes what is under these keys, in the default cache; see [`Cache::delete_many`](super::Cache::delete_many).
pub fn cache_delete_many(
    keys: impl IntoIterator<Item = Key>,
) -> Request<Boxed<'static, Result<usize, Error>>> {
    default_cache().delete_many(keys)
}

/// Forgets everything, in the default cache; see [`Cache::clear`](super::Cache::clear).
pub fn cache_clear() -> Request<Boxed<'static, Result<usize, Error>>> {
    default_cache().clear()
}

/// Probes the store, in the default cache; see [`Cache::require`](super::Cache::require).
pub fn cache_require() -> Request<Boxed<'static, Result<(), Error>>> {
    default_cache().require()
}

/// Switches reading and saving on or off, in the default cache; see [`Cache::enable`](super::Cache::enable).
pub fn cache_enable(enabled: bool) {
    default_cache().enable(enabled);
}

/// Whether reading and saving are on, in the default cache; see [`Cache::is_enabled`](super::Cache::is_enabled).
#[must_use]
pub fn cache_enabled() -> bool {
    default_cache().is_enabled()
}

/// What was done in this process, in the default cache; see [`Cache::stats`](super::Cache::stats).
#[must_use]
pub fn cache_stats() -> CacheStats {
    default_cache().stats()
}
