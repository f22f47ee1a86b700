//! The stores that behaviour is tested over, and caches on them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyedcache::cache::CacheBuilder;
use keyedcache::store::{DiskStore, MemoryStore, RedisStore, Store};
use keyedcache::{Cache, Clock, Moment};
use tempfile::TempDir;

use crate::hesitant::Hesitant;

/// A store of its own for one test; the folder of a disk store lives as long as this.
#[derive(Debug)]
pub struct Place {
    name: &'static str,
    store: Arc<dyn Store>,
    _folder: Option<TempDir>,
}

impl Place {
    /// A store in memory.
    #[must_use]
    pub fn memory() -> Self {
        Self { name: "memory", store: Arc::new(MemoryStore::new()), _folder: None }
    }

    /// A store on disk, in a new folder.
    ///
    /// # Panics
    ///
    /// If the folder cannot be made or opened.
    #[must_use]
    pub fn disk() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = DiskStore::open(folder.path()).expect("the folder is new");
        Self { name: "disk", store: Arc::new(store), _folder: Some(folder) }
    }

    /// A store on the Redis server, or the servers, of this URL, with the default options; it connects
    /// meanwhile, if it can.
    ///
    /// # Panics
    ///
    /// If the URL is wrong.
    #[must_use]
    pub fn redis(url: &str) -> Self {
        let store = RedisStore::builder(url).build().expect("the URL is right");
        Self { name: "redis", store: Arc::new(store), _folder: None }
    }

    /// The same with every operation waiting before and after it takes place.
    #[must_use]
    pub fn hesitant(self) -> Self {
        Self { store: Arc::new(Hesitant::new(self.store)), ..self }
    }

    /// Which it is, for messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A builder of a cache on it. Two caches on one store are to each other what two processes are.
    pub fn cache(&self) -> CacheBuilder {
        Cache::builder().store(Arc::clone(&self.store))
    }

    /// A cache on it with the default options, under this alias.
    ///
    /// # Panics
    ///
    /// If the alias is none.
    #[allow(clippy::must_use_candidate)] // most functions find it by its alias
    pub fn register(&self, alias: &str) -> Cache {
        let cache = self.cache().build().expect("the options are the defaults");
        cache.register(alias).expect("the alias is one");
        cache
    }
}

/// Has one test of a program run at a time while it is held: functions find their cache by an alias,
/// which tests register anew, and that empties the near caches of all functions.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing behind that would harm the next.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cache in memory under this alias, whose time goes on only when the test says so.
///
/// # Panics
///
/// If the alias is none.
#[must_use]
pub fn timed(alias: &str) -> (Cache, Clock) {
    let clock = Clock::manual(Moment::from_micros(1_000_000_000_000_000));
    let cache = Cache::builder().clock(clock.clone()).build().expect("the defaults");
    cache.register(alias).expect("the alias is one");
    (cache, clock)
}
