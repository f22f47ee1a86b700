//! The caches by alias, and those that must hear when one is replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::error::{Error, ErrorKind};
use crate::store::broken::BrokenStore;

use super::{Cache, CacheBuilder, config};

/// The alias of the cache that is used where none is named.
pub(crate) const DEFAULT_ALIAS: &str = "default";

static CACHES: RwLock<BTreeMap<String, Cache>> = RwLock::new(BTreeMap::new());
/// What stands in for caches that the environment describes wrongly or that cannot be opened.
static BROKEN: Mutex<BTreeMap<String, Cache>> = Mutex::new(BTreeMap::new());
static WATCHERS: Mutex<Vec<&'static dyn Watcher>> = Mutex::new(Vec::new());

/// Something that holds on to a registered cache.
pub(crate) trait Watcher: Sync {
    /// A cache has been registered: look yours up again.
    fn reset(&self);
}

/// From now on `watcher` hears of every registration. It must be told of only once.
pub(crate) fn watch_registry(watcher: &'static dyn Watcher) {
    WATCHERS.lock().push(watcher);
}

pub(super) fn register(alias: &str, cache: Cache) -> Result<(), Error> {
    config::check_alias(alias)?;
    CACHES.write().insert(alias.to_owned(), cache);
    BROKEN.lock().remove(alias);
    reset_watchers();
    Ok(())
}

fn reset_watchers() {
    for watcher in WATCHERS.lock().iter() {
        watcher.reset();
    }
}

pub(super) fn named(alias: &str) -> Result<Cache, Error> {
    if let Some(cache) = CACHES.read().get(alias) {
        return Ok(cache.clone());
    }
    let mut caches = CACHES.write();
    if let Some(cache) = caches.get(alias) {
        return Ok(cache.clone());
    }
    let cache = from_environment(alias, &caches)?;
    caches.insert(alias.to_owned(), cache.clone());
    drop(caches);
    if BROKEN.lock().remove(alias).is_some() {
        reset_watchers();
    }
    Ok(cache)
}

/// The default cache. Where the environment describes it wrongly, one that says so at every use:
/// functions compute, and whatever can fail fails with what is wrong.
pub(crate) fn default_cache() -> Cache {
    named_or_broken(DEFAULT_ALIAS)
}

/// The cache registered under this alias, or one that says at every use why there is none. Each
/// time it is asked for, what was wrong is tried again.
pub(crate) fn named_or_broken(alias: &str) -> Cache {
    named(alias).unwrap_or_else(|error| {
        let mut broken = BROKEN.lock();
        if let Some(cache) = broken.get(alias) {
            return cache.clone();
        }
        let cache = CacheBuilder::on(Arc::new(BrokenStore::new(&error)));
        broken.insert(alias.to_owned(), cache.clone());
        drop(broken);
        tracing::error!(target: "keyedcache", %error, "there is no cache `{alias}`");
        cache
    })
}

/// The cache the environment describes under this alias; for the default one, memory if it does not.
fn from_environment(alias: &str, registered: &BTreeMap<String, Cache>) -> Result<Cache, Error> {
    let mut configured =
        config::from_environment(|name| std::env::var_os(name))?.unwrap_or_default();
    if let Some(config) = configured.remove(alias) {
        return Cache::builder().config(config).build();
    }
    if alias == DEFAULT_ALIAS {
        return Cache::builder().build();
    }
    let known: Vec<_> = registered.keys().chain(configured.keys()).map(String::as_str).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(Error::new(
        ErrorKind::Config,
        "find a cache",
        format!("no cache is registered as `{alias}`; registered: {known}"),
    ))
}
