//! What a cache is to be: read from a URL, a TOML file or the environment, and checked.
//!
//! - Nothing is opened here; a [`CacheConfig`] is what to open and with which options.
//! - Every mistake is an [`Error`] of kind [`Config`](crate::ErrorKind::Config) that says where it
//!   is and what to write instead. All mistakes of one source come in one error.
//! - No message holds a password: see `quote` for what may be repeated of an input.
//! - `known` is the one list of schemes and options; reading, messages and `docs/configuration.md`
//!   follow it.

mod check;
mod draft;
mod duration;
mod environment;
mod file;
mod known;
mod mistake;
mod nearest;
mod quote;
mod several;
mod size;
mod url;
mod value;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::codec::Codec;
use crate::compress::Compressor;
use crate::error::Error;
use crate::policy::{SingleFlight, Timeout};
#[cfg(feature = "s3")]
pub use crate::store::S3Address;
#[cfg(feature = "redis")]
pub use crate::store::{OnFailover, RedisAddress};

pub(super) use check::{check, check_alias};
pub use environment::from_environment;
pub use file::{from_file, from_toml};

/// One cache as configured: the store behind it, and its options.
///
/// ```
/// use keyedcache::cache::config::{CacheConfig, StoreConfig};
///
/// let config = CacheConfig::from_url("memory:?max_size=64MiB&timeout=5m")?;
/// assert_eq!(config.store, StoreConfig::Memory { max_size: Some(64 << 20) });
/// # Ok::<(), keyedcache::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CacheConfig {
    /// Which store.
    pub store: StoreConfig,
    /// Everything else.
    pub options: CacheOptions,
}

impl CacheConfig {
    /// The cache that a URL describes: `memory:`, `disk:/var/cache/app?timeout=5m`, `null:`; or
    /// several with commas between, the shards of one store.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config), naming everything that is wrong with the URL.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        url::cache(url).map_err(|wrong| mistake::all_in(&url::shown(url), wrong))
    }

    /// A cache on this store, with every option at its default.
    #[must_use]
    pub fn new(store: StoreConfig) -> Self {
        Self { store, options: CacheOptions::default() }
    }
}

impl FromStr for CacheConfig {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        Self::from_url(url)
    }
}

/// Which store a cache is kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreConfig {
    /// In this process.
    Memory {
        /// At most so many bytes.
        max_size: Option<u64>,
    },
    /// In a folder, shared by the processes of this machine.
    Disk {
        /// The folder; if relative, to the working folder at the time it is opened.
        path: PathBuf,
        /// At most so many bytes.
        size_limit: Option<u64>,
    },
    /// Nowhere.
    Null,
    /// On a Redis server, shared by everybody who can reach it.
    #[cfg(feature = "redis")]
    Redis {
        /// Where it is.
        address: RedisAddress,
        /// How long one attempt to connect may take.
        connect_timeout: Option<Duration>,
        /// For how long after a sign of life near caches are trusted.
        near_trust: Option<Duration>,
        /// How many requests may be under way at once.
        concurrency: Option<usize>,
        /// What is done when the server turns out to have another history.
        on_failover: Option<OnFailover>,
        /// Whether records are read from replicas where they can be.
        read_replicas: Option<bool>,
    },
    /// In several, each key in one of them.
    Sharded(Vec<StoreConfig>),
    /// In a bucket, shared by everybody who can reach it.
    #[cfg(feature = "s3")]
    S3 {
        /// Which bucket, and where in it.
        address: S3Address,
        /// Where the bucket is.
        region: Option<String>,
        /// The URL of an S3-compatible server.
        endpoint: Option<String>,
        /// Whether the bucket stands in the path of requests.
        path_style: Option<bool>,
        /// For how long generations are remembered in this process.
        generations: Option<Duration>,
    },
}

/// The options of a cache; `None` is the default, which `docs/configuration.md` lists.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CacheOptions {
    /// What all its keys begin with in the store.
    pub prefix: Option<String>,
    /// Separates its records from those of other versions.
    pub version: Option<u32>,
    /// How long a value is fresh.
    pub timeout: Option<Timeout>,
    /// How long a value is served after that, while it is refreshed.
    pub stale: Option<Duration>,
    /// How long a value is served after that, if computing fails.
    pub stale_if_error: Option<Duration>,
    /// The beta of early refreshes; 0 is off.
    pub early: Option<f64>,
    /// By which part of it, at most, a timeout is shortened at random; from 0 to 1.
    pub jitter: Option<f64>,
    /// For how long the right to compute is granted and renewed at a time.
    pub lease: Option<Duration>,
    /// For how long it is renewed in all.
    pub lease_max: Option<Duration>,
    /// How long a call waits for the computation of another.
    pub wait: Option<Duration>,
    /// How long a store may take to answer.
    pub store_timeout: Option<Duration>,
    /// How values become bytes.
    pub codec: Option<Codec>,
    /// How bytes become fewer.
    pub compressor: Option<Compressor>,
    /// From how many bytes on.
    pub compress_min: Option<u64>,
    /// How many values each function keeps in this process; 0 is off.
    pub near: Option<usize>,
    /// Who waits for a computation that is running.
    pub single_flight: Option<SingleFlight>,
    /// Whether anything is read or saved.
    pub enabled: Option<bool>,
}
