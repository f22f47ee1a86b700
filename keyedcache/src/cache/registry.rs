//! The caches by alias, and those that must hear when one is replaced.
//!
//! No lock is held, but by whoever opens a store that one, where a cache may go that nobody else holds,
//! or where watchers or logs are called: values that are kept near go with it, and what the user's code
//! does then may ask for a cache. Nor is anybody kept waiting while its store is closed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use crate::error::{Error, ErrorKind};

use super::{Cache, CacheBuilder, config};

/// The alias of the cache that is used where none is named.
pub(crate) const DEFAULT_ALIAS: &str = "default";

static CACHES: RwLock<BTreeMap<String, Cache>> = RwLock::new(BTreeMap::new());
/// Held while a store is opened, which no two may try at once.
static OPENING: Mutex<()> = Mutex::new(());
/// What stands in for caches that the environment describes wrongly or that cannot be opened.
static BROKEN: Mutex<BTreeMap<String, Broken>> = Mutex::new(BTreeMap::new());
static WATCHERS: Mutex<Vec<&'static dyn Watcher>> = Mutex::new(Vec::new());

struct Broken {
    stand_in: Cache,
    try_again: Instant,
}

const NEXT_TO_NOTHING: Duration = Duration::from_millis(10);

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
    let replaced = CACHES.write().insert(alias.to_owned(), cache);
    let broken = BROKEN.lock().remove(alias);
    reset_watchers();
    drop((replaced, broken));
    Ok(())
}

fn reset_watchers() {
    // Those that come later look for the cache after that, and find the new one.
    let watchers = WATCHERS.lock().clone();
    for watcher in watchers {
        watcher.reset();
    }
}

pub(super) fn named(alias: &str) -> Result<Cache, Error> {
    named_or_opened(alias, || from_environment(alias))
}

fn named_or_opened(
    alias: &str,
    open: impl FnOnce() -> Result<Cache, Error>,
) -> Result<Cache, Error> {
    if let Some(cache) = CACHES.read().get(alias) {
        return Ok(cache.clone());
    }
    // Not under the lock of the others, who need not wait while this one's store is opened.
    let opening = OPENING.lock();
    if let Some(cache) = CACHES.read().get(alias) {
        return Ok(cache.clone());
    }
    let opened = open()?;
    // One that has been registered meanwhile counts.
    let cache = CACHES.write().entry(alias.to_owned()).or_insert_with(|| opened.clone()).clone();
    let broken = BROKEN.lock().remove(alias);
    drop(opening);
    if broken.is_some() {
        reset_watchers();
    }
    drop((opened, broken));
    Ok(cache)
}

/// The default cache. Where the environment describes it wrongly, one that says so at every use:
/// functions compute, and whatever can fail fails with what is wrong.
pub(crate) fn default_cache() -> Cache {
    named_or_broken(DEFAULT_ALIAS)
}

/// The cache registered under this alias, or one that says at every use why there is none.
///
/// What was wrong is tried again: at once if that costs next to nothing, else so that it costs at most
/// a twentieth of the time.
pub(crate) fn named_or_broken(alias: &str) -> Cache {
    if let Some(cache) = CACHES.read().get(alias) {
        return cache.clone();
    }
    if let Some(broken) = BROKEN.lock().get(alias)
        && Instant::now() < broken.try_again
    {
        return broken.stand_in.clone();
    }
    let began = Instant::now();
    named(alias).unwrap_or_else(|error| {
        let (took, now) = (began.elapsed(), Instant::now());
        let rest = if took < NEXT_TO_NOTHING { Duration::ZERO } else { took * 20 };
        let mut is_new = false;
        let stand_in = {
            let mut all = BROKEN.lock();
            let broken = all.entry(alias.to_owned()).or_insert_with(|| {
                is_new = true;
                Broken { stand_in: CacheBuilder::stand_in(&error), try_again: now }
            });
            broken.try_again = now + rest;
            broken.stand_in.clone()
        };
        if is_new {
            tracing::error!(target: "keyedcache", %error, "there is no cache `{alias}`");
        }
        stand_in
    })
}

/// The cache the environment describes under this alias; for the default one, memory if it does not.
fn from_environment(alias: &str) -> Result<Cache, Error> {
    let mut configured =
        config::from_environment(|name| std::env::var_os(name))?.unwrap_or_default();
    if let Some(config) = configured.remove(alias) {
        return Cache::builder().config(config).build();
    }
    if alias == DEFAULT_ALIAS {
        return Cache::builder().build();
    }
    let registered = CACHES.read();
    let known: Vec<_> = registered.keys().chain(configured.keys()).map(String::as_str).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(Error::new(
        ErrorKind::Config,
        "find a cache",
        format!("no cache is registered as `{alias}`; registered: {known}"),
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    /// Does so on a thread that is left where it hangs.
    fn in_time<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(act()));
        told.recv_timeout(Duration::from_secs(10)).expect("it does not hang")
    }

    fn cache() -> Cache {
        Cache::builder().build().unwrap()
    }

    #[test]
    fn a_cache_that_is_registered_while_another_is_opened_counts() {
        let registered = cache();
        let found = named_or_opened("r_meanwhile", || {
            register("r_meanwhile", registered.clone())?;
            Ok(cache())
        });
        for found in [found, named("r_meanwhile")] {
            assert!(Arc::ptr_eq(found.unwrap().core(), registered.core()));
        }
    }

    #[test]
    fn who_hears_of_a_replacement_may_have_others_hear_too() {
        struct Nobody;
        impl Watcher for Nobody {
            fn reset(&self) {}
        }
        struct First;
        impl Watcher for First {
            fn reset(&self) {
                watch_registry(&Nobody);
            }
        }
        watch_registry(&First);
        in_time(|| register("r_watchers", cache())).unwrap();
        assert_eq!(WATCHERS.lock().len(), 2);
    }
}
