//! The stores that values are tested on, with a clock that a test moves.

use std::sync::Arc;
use std::time::Duration;

use keyedcache::cache::CacheBuilder;
use keyedcache::store::{DiskStore, MemoryStore, Store};
use keyedcache::{Cache, Clock, Moment, NotCachedError, NotCachedReason};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// One store and its clock.
pub(crate) struct Ground {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    _folder: Option<tempfile::TempDir>,
}

impl Ground {
    fn memory() -> Self {
        let clock = Clock::manual(Moment::from_micros(1_000_000_000));
        let store = MemoryStore::builder().clock(clock.clone()).build().unwrap();
        Self { store: Arc::new(store), clock, _folder: None }
    }

    fn disk() -> Self {
        let clock = Clock::manual(Moment::from_micros(1_000_000_000));
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::builder(folder.path()).clock(clock.clone()).open().unwrap();
        Self { store: Arc::new(store), clock, _folder: Some(folder) }
    }

    /// A builder of a cache on it; two caches on it are to each other what two processes are.
    pub(crate) fn builder(&self) -> CacheBuilder {
        Cache::builder().store(Arc::clone(&self.store)).clock(self.clock.clone())
    }

    /// A cache on it with the default options.
    pub(crate) fn cache(&self) -> Cache {
        self.builder().build().unwrap()
    }
}

/// Runs a test on each store.
pub(crate) fn on_each_store(test: impl Fn(&Ground)) {
    for ground in [Ground::memory(), Ground::disk()] {
        println!("on {}", ground.store.name());
        test(&ground);
    }
}

/// Why it is not there; `None` if it is.
pub(crate) fn why_not<T>(got: Result<T, NotCachedError>) -> Option<NotCachedReason> {
    got.err().map(|error| error.reason)
}
