//! Building a cache: from code, a URL, or a configuration that was read elsewhere.

use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::codec::Codec;
use crate::compress::{Compression, Compressor};
use crate::error::Error;
use crate::near::Values;
use crate::observe::Counters;
use crate::policy::{Policy, SingleFlight, Timeout};
#[cfg(feature = "redis")]
use crate::store::RedisStore;
#[cfg(feature = "s3")]
use crate::store::S3Store;
use crate::store::broken::BrokenStore;
use crate::store::{Capabilities, HolderId, MemoryStore, NullStore, ShardedStore, Sink, Store};

use super::Cache;
use super::config::{self, CacheConfig, CacheOptions, StoreConfig};
use super::core::{Core, Epochs, stored_head};
use super::renewal::Renewals;
use super::scopes::Scopes;

const DEFAULT_PREFIX: &str = "keyedcache";

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
    place: Place,
    options: CacheOptions,
    clock: Clock,
}

/// Where records are to be kept.
enum Place {
    Configured(Result<StoreConfig, Error>),
    Given(Arc<dyn Store>),
}

impl CacheBuilder {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Configured(Ok(StoreConfig::Memory { max_size: None })),
            options: CacheOptions::default(),
            clock: Clock::system(),
        }
    }

    /// The store and the options of this URL, in place of all that was said before; options set
    /// afterwards replace the URL's.
    pub fn url(mut self, url: &str) -> Self {
        match CacheConfig::from_url(url) {
            Ok(config) => self.config(config),
            Err(error) => {
                self.place = Place::Configured(Err(error));
                self
            }
        }
    }

    /// The store and the options of this configuration, in place of all that was said before; options
    /// set afterwards replace its own.
    ///
    /// The caches of a TOML file come so:
    ///
    /// ```no_run
    /// use keyedcache::Cache;
    /// use keyedcache::cache::config;
    ///
    /// for (alias, config) in config::from_file("caches.toml".as_ref())? {
    ///     Cache::builder().config(config).build()?.register(&alias)?;
    /// }
    /// # Ok::<(), keyedcache::Error>(())
    /// ```
    pub fn config(mut self, config: CacheConfig) -> Self {
        self.place = Place::Configured(Ok(config.store));
        self.options = config.options;
        self
    }

    /// A store of one's own making. Two caches may share one, as two processes would; with other
    /// prefixes they never see each other's records.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.place = Place::Given(store);
        self
    }

    /// What all its keys begin with in the store. Default: `keyedcache`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = Some(prefix.into());
        self
    }

    /// The clock of the near caches, and of the store if it is made here. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How long answers are fresh. Default: 300 s.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.options.timeout = Some(timeout.into());
        self
    }

    /// Builds the cache, opening its store.
    ///
    /// # Errors
    ///
    /// When the URL or an option is wrong, or the store cannot be opened.
    pub fn build(self) -> Result<Cache, Error> {
        config::check(&self.options)?;
        let store = match self.place {
            Place::Given(store) => store,
            Place::Configured(config) => open(&config?, &self.options, &self.clock)?,
        };
        Ok(assemble(store, &self.options, self.clock, false))
    }

    /// Builds the cache that stands in for one that cannot be made.
    pub(super) fn stand_in(because: &Error) -> Cache {
        let store = Arc::new(BrokenStore::new(because));
        assemble(store, &CacheOptions::default(), Clock::system(), true)
    }
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        impl CacheBuilder {$(
            $(#[$doc])*
            pub fn $name(mut self, $name: $type) -> Self {
                self.options.$name = Some($name);
                self
            }
        )*}
    };
}

options! {
    /// Separates its records from those of other versions. Default: 1.
    version: u32;
    /// How values become bytes; what is stored already is read by the codec it was written with.
    /// Default: `MessagePack`, or the first that the features give.
    codec: Codec;
    /// What makes payloads smaller. Default: nothing.
    compressor: Compressor;
    /// Payloads of fewer bytes are not compressed. Default: 1 KiB.
    compress_min: u64;
    /// How long, after they are fresh, answers are served while one caller refreshes them.
    /// Default: not at all.
    stale: Duration;
    /// How long, after they are fresh, answers are served when computing fails. Default: not at all.
    stale_if_error: Duration;
    /// The beta of early refresh: 1 is the usual, larger is earlier, 0 is off. Default: off.
    early: f64;
    /// The largest part of a timeout that is taken off at random, from 0 to 1. Default: 0.
    jitter: f64;
    /// How long a lease stands without being renewed; above zero, and at most `lease_max`, which is
    /// checked if both are given. Default: 10 s, if the store does not
    /// [say otherwise](crate::store::Capabilities::lease).
    lease: Duration;
    /// How long a lease is renewed at most; above zero. Default: 10 min.
    lease_max: Duration;
    /// How long a call waits for others before it computes by itself; at most 1 s within the body of
    /// another cached function. Default: 30 s.
    wait: Duration;
    /// How long one call waits for the store in all before it goes on without it; a save that takes
    /// longer goes on in the background. For what is done by hand, how long one operation may take.
    /// Default: 1 s, if the store does not [say otherwise](crate::store::Capabilities::store_timeout).
    store_timeout: Duration;
    /// How many answers the near cache of each function holds; 0 is none. In front of a store that
    /// does not [push](crate::store::Capabilities::pushes) what changes (S3, null) there is none in
    /// any case. Default: 10,000.
    near: usize;
    /// Among whom a missing answer is computed once. Default: all processes.
    single_flight: SingleFlight;
    /// Whether it reads and saves from the start. Default: it does.
    enabled: bool;
}

impl fmt::Debug for CacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}

fn open(
    config: &StoreConfig,
    options: &CacheOptions,
    clock: &Clock,
) -> Result<Arc<dyn Store>, Error> {
    match config {
        StoreConfig::Memory { max_size } => {
            let mut memory = MemoryStore::builder().clock(clock.clone());
            if let Some(max_size) = max_size {
                memory = memory.max_bytes(usize::try_from(*max_size).unwrap_or(usize::MAX));
            }
            Ok(Arc::new(memory.build()?))
        }
        StoreConfig::Null => Ok(Arc::new(NullStore::with_clock(clock.clone()))),
        StoreConfig::Disk { path, size_limit } => open_disk(path, *size_limit, options, clock),
        #[cfg(feature = "redis")]
        StoreConfig::Redis {
            address,
            connect_timeout,
            near_trust,
            concurrency,
            on_failover,
            read_replicas,
        } => {
            let mut redis = RedisStore::at(address.clone());
            if let Some(timeout) = options.store_timeout {
                redis = redis.timeout(timeout);
            }
            if let Some(timeout) = connect_timeout {
                redis = redis.connect_timeout(*timeout);
            }
            if let Some(near_trust) = near_trust {
                redis = redis.near_trust(*near_trust);
            }
            if let Some(requests) = concurrency {
                redis = redis.concurrency(*requests);
            }
            if let Some(on_failover) = on_failover {
                redis = redis.on_failover(*on_failover);
            }
            if let Some(read_replicas) = read_replicas {
                redis = redis.read_replicas(*read_replicas);
            }
            Ok(Arc::new(redis.build()?))
        }
        #[cfg(feature = "s3")]
        StoreConfig::S3 { address, region, endpoint, path_style, generations } => {
            let mut s3 = S3Store::at(address.clone())
                .clock(clock.clone())
                .path_style(path_style.unwrap_or(false))
                .remember_generations(generations.unwrap_or_default());
            if let Some(timeout) = options.store_timeout {
                s3 = s3.operation_timeout(timeout);
            }
            if let Some(region) = region {
                s3 = s3.region(region);
            }
            if let Some(endpoint) = endpoint {
                s3 = s3.endpoint(endpoint);
            }
            Ok(Arc::new(s3.build()?))
        }
        StoreConfig::Sharded(shards) => {
            let shards: Result<Vec<_>, _> =
                shards.iter().map(|shard| open(shard, options, clock)).collect();
            Ok(Arc::new(ShardedStore::new(shards?)?))
        }
    }
}

#[cfg(feature = "disk")]
fn open_disk(
    path: &Path,
    size_limit: Option<u64>,
    options: &CacheOptions,
    clock: &Clock,
) -> Result<Arc<dyn Store>, Error> {
    let mut disk = crate::store::DiskStore::builder(path).clock(clock.clone());
    if let Some(size_limit) = size_limit {
        disk = disk.size_limit(size_limit);
    }
    if let Some(timeout) = options.store_timeout {
        disk = disk.store_timeout(timeout);
    }
    Ok(Arc::new(disk.open()?))
}

#[cfg(not(feature = "disk"))]
fn open_disk(
    _: &Path,
    _: Option<u64>,
    _: &CacheOptions,
    _: &Clock,
) -> Result<Arc<dyn Store>, Error> {
    Err(Error::new(
        crate::ErrorKind::Config,
        "open a store",
        "a disk store needs the feature `disk` of keyedcache, which this build lacks",
    ))
}

fn assemble(store: Arc<dyn Store>, options: &CacheOptions, clock: Clock, stands_in: bool) -> Cache {
    let prefix = options.prefix.as_deref().unwrap_or(DEFAULT_PREFIX);
    let version = options.version.unwrap_or(1);
    let capabilities = store.capabilities();
    let core = Arc::new(Core {
        capabilities,
        holder: HolderId::random(),
        prefix: prefix.into(),
        version,
        own_head: stored_head(prefix, version).into(),
        codec: options.codec.unwrap_or_default(),
        compression: compression(options),
        policy: policy(options, &capabilities),
        store_timeout: options.store_timeout.unwrap_or(capabilities.store_timeout),
        clock,
        flights: Arc::default(),
        counters: Counters::default(),
        renewals: Renewals::new(Arc::clone(&store)),
        scopes: Scopes::new(prefix),
        enabled: AtomicBool::new(options.enabled.unwrap_or(true)),
        epochs: Epochs::default(),
        values: Values::default(),
        near_hits: Mutex::default(),
        stands_in,
        store,
    });
    let sink: Weak<Core> = Arc::downgrade(&core);
    core.store.subscribe(core.holder, sink as Weak<dyn Sink>);
    Cache(core)
}

fn compression(options: &CacheOptions) -> Compression {
    let compression = Compression::new(options.compressor.unwrap_or_default());
    match options.compress_min {
        Some(bytes) => compression.with_min_size(usize::try_from(bytes).unwrap_or(usize::MAX)),
        None => compression,
    }
}

fn policy(options: &CacheOptions, capabilities: &Capabilities) -> Policy {
    let defaults = Policy::default();
    Policy {
        timeout: options.timeout.unwrap_or(defaults.timeout),
        stale: options.stale.unwrap_or(defaults.stale),
        stale_if_error: options.stale_if_error.unwrap_or(defaults.stale_if_error),
        early: options.early.filter(|beta| *beta > 0.0),
        jitter: options.jitter.unwrap_or(defaults.jitter),
        single_flight: options.single_flight.unwrap_or(defaults.single_flight),
        wait: options.wait.unwrap_or(defaults.wait),
        lease: options.lease.unwrap_or(capabilities.lease),
        lease_max: options.lease_max.unwrap_or(defaults.lease_max),
        near: options.near.unwrap_or(defaults.near),
        ..defaults
    }
}
