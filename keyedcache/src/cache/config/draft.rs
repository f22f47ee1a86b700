//! A cache while its configuration is being read, option by option.

use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(feature = "s3")]
use super::S3Address;
use super::known::{self, Kind, KnownOption, OPTIONS};
use super::nearest::nearest;
use super::quote;
use super::value::{Hidden, Refusal};
use super::{CacheConfig, CacheOptions, StoreConfig};
#[cfg(feature = "redis")]
use super::{OnFailover, RedisAddress};

/// What has been read so far.
#[derive(Default)]
pub(super) struct Draft {
    /// The kind of store; `None` where the URL does not tell, so that its options can be checked
    /// all the same.
    pub(super) kind: Option<Kind>,
    /// The folder of a disk store.
    pub(super) path: PathBuf,
    pub(super) max_size: Option<u64>,
    pub(super) size_limit: Option<u64>,
    pub(super) redis: RedisDraft,
    pub(super) s3: S3Draft,
    pub(super) options: CacheOptions,
    /// The other shards, if there are several; this one, the last, speaks for the whole cache.
    pub(super) shards_before: Vec<Draft>,
    given: Vec<(&'static KnownOption, String)>,
}

/// What only Redis stores have.
#[derive(Debug, Default)]
pub(super) struct RedisDraft {
    #[cfg(feature = "redis")]
    pub(super) address: Option<RedisAddress>,
    pub(super) database: Option<u32>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) near_trust: Option<Duration>,
    pub(super) concurrency: Option<usize>,
    /// Whether everything is missing after a failover.
    pub(super) forgets: Option<bool>,
    pub(super) read_replicas: Option<bool>,
    pub(super) sentinel_user: Option<Hidden>,
    pub(super) sentinel_password: Option<Hidden>,
}

#[cfg(feature = "redis")]
impl RedisDraft {
    /// The store; `None` where no server is named.
    fn finish(self) -> Result<Option<StoreConfig>, String> {
        let Some(mut address) = self.address else { return Ok(None) };
        if let Some(database) = self.database {
            address = address.with_database(database);
        }
        if self.sentinel_user.is_some() || self.sentinel_password.is_some() {
            let plain = |text: Option<Hidden>| text.map(|Hidden(text)| text);
            let (user, password) = (plain(self.sentinel_user), plain(self.sentinel_password));
            address = address.with_sentinel_login(user, password)?;
        }
        Ok(Some(StoreConfig::Redis {
            address,
            connect_timeout: self.connect_timeout,
            near_trust: self.near_trust,
            concurrency: self.concurrency,
            on_failover: self
                .forgets
                .map(|forgets| if forgets { OnFailover::Forget } else { OnFailover::Resend }),
            read_replicas: self.read_replicas,
        }))
    }
}

/// What only S3 stores have.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "read, and refused by its scheme"))]
pub(super) struct S3Draft {
    #[cfg(feature = "s3")]
    pub(super) address: Option<S3Address>,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) path_style: Option<bool>,
    pub(super) generations: Option<Duration>,
}

impl S3Draft {
    #[cfg(feature = "s3")]
    fn finish(self) -> Option<StoreConfig> {
        let Self { address, region, endpoint, path_style, generations } = self;
        Some(StoreConfig::S3 { address: address?, region, endpoint, path_style, generations })
    }

    #[cfg(not(feature = "s3"))]
    #[allow(clippy::unused_self, reason = "as it is with the feature")]
    fn finish(self) -> Option<StoreConfig> {
        None
    }
}

impl Draft {
    /// Whether an option has been given, rightly or wrongly.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.given.iter().any(|(option, _)| option.name == name)
    }

    /// Takes one option; `harmless` says whether its source holds no secret, so that words of it
    /// may be repeated. What is wrong with it otherwise.
    pub(super) fn set(&mut self, name: &str, text: &str, harmless: bool) -> Result<(), String> {
        let Some(option) = known::option(name) else {
            return Err(unknown(name, self.kind, harmless));
        };
        if self.is_given(option.name) {
            return Err(format!("`{name}` is given twice"));
        }
        self.given.push((option, text.to_owned()));
        if !option.fits(self.kind) {
            return Err(other_store(option, self.kind));
        }
        (option.set)(self, text).map_err(|refusal| refused(option, text, harmless, refusal))
    }

    /// The cache that was described. A relative path is taken from `folder`.
    pub(super) fn finish(mut self, folder: &Path) -> Result<CacheConfig, String> {
        if let (Some(lease), Some(most)) = (self.options.lease, self.options.lease_max)
            && lease > most
        {
            return Err("`lease` is longer than `lease_max`".to_owned());
        }
        let mut shards = Vec::new();
        for mut shard in std::mem::take(&mut self.shards_before) {
            shard.is_shard_of(&self)?;
            shards.push(shard.store(folder)?);
        }
        let options = std::mem::take(&mut self.options);
        let last = self.store(folder)?;
        if shards.is_empty() {
            return Ok(CacheConfig { store: last, options });
        }
        shards.push(last);
        Ok(CacheConfig { store: StoreConfig::Sharded(shards), options })
    }

    /// Takes what the last shard says of its store for its own, where it says nothing itself.
    fn is_shard_of(&mut self, last: &Self) -> Result<(), String> {
        if let Some((option, _)) = self.given.iter().find(|(option, _)| option.only.is_none()) {
            let name = option.name;
            return Err(format!("`{name}` is of the whole cache; write it after the last URL"));
        }
        for (option, text) in &last.given {
            let fits = option.only.is_some() && option.fits(self.kind);
            if fits && !self.is_given(option.name) {
                self.set(option.name, text, false)?;
            }
        }
        Ok(())
    }

    fn store(self, folder: &Path) -> Result<StoreConfig, String> {
        let none = || format!("no store is named; known are {}", known::usable_schemes());
        match self.kind {
            Some(Kind::Memory) => Ok(StoreConfig::Memory { max_size: self.max_size }),
            Some(Kind::Disk) => {
                Ok(StoreConfig::Disk { path: folder.join(self.path), size_limit: self.size_limit })
            }
            Some(Kind::Null) => Ok(StoreConfig::Null),
            #[cfg(feature = "redis")]
            Some(Kind::Redis) => self.redis.finish()?.ok_or_else(none),
            Some(Kind::S3) => self.s3.finish().ok_or_else(none),
            #[cfg(not(feature = "redis"))]
            Some(Kind::Redis) => Err(none()),
            None => Err(none()),
        }
    }
}

fn refused(option: &KnownOption, text: &str, harmless: bool, refusal: Refusal) -> String {
    let (name, takes, value) = (option.name, option.takes, quote::not_this(text, harmless));
    match refusal {
        Refusal::NotOne => format!("`{name}` takes {takes}{value}"),
        Refusal::Because(reason) => format!("`{name}` takes {takes}{value}: {reason}"),
        Refusal::Lacks(feature) => format!(
            "`{name}`: `{feature}` needs the feature `{feature}` of keyedcache, which this build \
             lacks"
        ),
    }
}

/// The message about an option nobody knows. Of a source that may hold a secret its name is
/// repeated only if it is next to a known one: it may be a piece of a password.
fn unknown(name: &str, kind: Option<Kind>, harmless: bool) -> String {
    let meant = meant(name, kind);
    let may_be_named = quote::is_name(name) && (harmless || meant.is_some() || is_secretive(name));
    let what = if may_be_named { format!(" `{name}`") } else { String::new() };
    format!("unknown option{what}{}", instead(meant, kind))
}

/// The message about an option that only another kind of store has.
fn other_store(option: &KnownOption, kind: Option<Kind>) -> String {
    let instead = instead(meant(option.name, kind), kind);
    format!("`{}` is no option of this store{instead}", option.name)
}

/// Names under which people would pass a secret; they are none themselves.
fn is_secretive(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "password",
        "passwd",
        "username",
        "token",
        "auth",
        "secret",
        "access_key_id",
        "secret_access_key",
    ];
    NAMES.contains(&name)
}

fn meant(name: &str, kind: Option<Kind>) -> Option<&'static str> {
    let fitting = || OPTIONS.iter().filter(|option| option.fits(kind));
    let elsewhere = fitting().find(|option| option.elsewhere.contains(&name));
    elsewhere
        .map(|option| option.name)
        .or_else(|| nearest(name, fitting().map(|option| option.name)))
}

/// What may have been meant, and everything there is.
fn instead(meant: Option<&str>, kind: Option<Kind>) -> String {
    let fitting = OPTIONS.iter().filter(|option| option.fits(kind));
    let known = known::listed(fitting.map(|option| format!("`{}`", option.name)));
    format!("{} known are {known}", known::question(meant))
}
