//! Building a cache: from code, a URL, or a configuration that was read elsewhere.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::clock::Clock;
use crate::codec::Codec;
use crate::compress::Compression;
use crate::error::Error;
use crate::policy::{Policy, SingleFlight, Timeout};
use crate::record::Scope;
use crate::store::{HolderId, MemoryStore, NullStore, Sink, Store};

use super::Cache;
use super::config::{self, CacheConfig, CacheOptions, StoreConfig};
use super::core::{Core, Epochs};
use super::renewal::Renewals;

/// Builds a [`Cache`]. What is not said has the default that `docs/configuration.md` lists.
///
/// ```
/// use std::time::Duration;
/// use keyedcache::Cache;
///
/// let cache = Cache::builder().prefix("shop").timeout(Duration::from_secs(60)).build()?;
/// cache.register("default")?;
/// # Ok::<(), keyedcache::Error>(())
/// ```
#[must_use]
pub struct CacheBuilder {
    store: Kept,
    options: CacheOptions,
    clock: Clock,
}

enum Kept {
    Config(Result<StoreConfig, Error>),
    Store(Arc<dyn Store>),
}
