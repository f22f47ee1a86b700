//! The one list of schemes and of options: what is known, what it takes, what it means if left out.
//!
//! A test holds the tables of `docs/configuration.md` to these lists.

use super::draft::Draft;
use super::duration::{duration, some_time, timeout};
use super::size::{size, some_room};
use super::value::{self, Refusal};

/// A store that this build can open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Memory,
    Disk,
    Null,
    Redis,
    S3,
}

/// Whether a known scheme can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Built(Kind),
    /// It needs this feature of the crate.
    #[cfg_attr(
        all(feature = "disk", feature = "redis-tls", feature = "s3"),
        expect(dead_code, reason = "what is known is in this build")
    )]
    NeedsFeature(&'static str),
}

/// Every scheme, and what stands behind it in this build.
pub(super) const SCHEMES: [(&str, Standing); 11] = [
    ("disk", DISK),
    ("memory", Standing::Built(Kind::Memory)),
    ("null", Standing::Built(Kind::Null)),
    ("redis", REDIS),
    ("redis+cluster", REDIS),
    ("redis+sentinel", REDIS),
    ("redis+unix", REDIS),
    ("rediss", REDISS),
    ("rediss+cluster", REDISS),
    ("rediss+sentinel", REDISS),
    ("s3", S3),
];

#[cfg(feature = "disk")]
const DISK: Standing = Standing::Built(Kind::Disk);
#[cfg(not(feature = "disk"))]
const DISK: Standing = Standing::NeedsFeature("disk");

#[cfg(feature = "redis")]
const REDIS: Standing = Standing::Built(Kind::Redis);
#[cfg(not(feature = "redis"))]
const REDIS: Standing = Standing::NeedsFeature("redis");

#[cfg(feature = "redis-tls")]
const REDISS: Standing = Standing::Built(Kind::Redis);
#[cfg(not(feature = "redis-tls"))]
const REDISS: Standing = Standing::NeedsFeature("redis-tls");

#[cfg(feature = "s3")]
const S3: Standing = Standing::Built(Kind::S3);
#[cfg(not(feature = "s3"))]
const S3: Standing = Standing::NeedsFeature("s3");

/// The schemes of this build, for messages.
pub(super) fn usable_schemes() -> String {
    let usable = SCHEMES.iter().filter(|(_, standing)| matches!(standing, Standing::Built(_)));
    listed(usable.map(|(scheme, _)| format!("`{scheme}:`")))
}

/// An option of a cache.
pub(super) struct KnownOption {
    /// Its name, in URLs and TOML files.
    pub(super) name: &'static str,
    /// The one kind of store that has it; `None` where every cache has it.
    pub(super) only: Option<Kind>,
    /// What it takes, as a message says it after "takes".
    pub(super) takes: &'static str,
    /// What it is when left out, as the documentation says it.
    #[cfg_attr(not(test), expect(dead_code, reason = "holds the documentation to this list"))]
    pub(super) default: &'static str,
    /// Names it goes by elsewhere, to be understood and suggested, not accepted.
    pub(super) elsewhere: &'static [&'static str],
    /// Reads it.
    pub(super) set: Set,
}

type Set = fn(&mut Draft, &str) -> Result<(), Refusal>;

const DURATION: &str = "a duration such as `30` (seconds), `5m`, `1h 30m` or `250ms`";
const TIMEOUT: &str = "a duration such as `30` (seconds), `5m`, `1h 30m` or `250ms`, or `never`";
const SIZE: &str = "a size such as `65536` (bytes), `64MiB` or `2GB`";
const PREFIX: &str = "up to 64 bytes of text without `:`, white space and `*?[]{}%\\`";

/// Every option, sorted by name.
pub(super) const OPTIONS: &[KnownOption] = &[
    known("codec", "`msgpack`, `json` or `bincode`", "`msgpack`", |draft, text| {
        put(&mut draft.options.codec, value::codec(text))
    })
    .elsewhere(&["serializer", "format"]),
    known("compress_min", SIZE, "`1KiB`", |draft, text| {
        put(&mut draft.options.compress_min, size(text))
    }),
    known("compressor", "`none`, `zstd` or `lz4`", "`none`", |draft, text| {
        put(&mut draft.options.compressor, value::compressor(text))
    })
    .elsewhere(&["compression", "compress"]),
    known("concurrency", "a whole number over zero", "`1024`", |draft, text| {
        put(&mut draft.redis.concurrency, value::some(text))
    })
    .only(Kind::Redis)
    .elsewhere(&["max_connections", "pool_size"]),
    known("connect_timeout", DURATION, "`1s`", |draft, text| {
        put(&mut draft.redis.connect_timeout, some_time(text))
    })
    .only(Kind::Redis),
    known("db", "a whole number", "`0`", |draft, text| {
        put(&mut draft.redis.database, value::whole(text))
    })
    .only(Kind::Redis)
    .elsewhere(&["database"]),
    known("early", "a number from 0 up", "`0` (off)", |draft, text| {
        put(&mut draft.options.early, value::number(text, f64::MAX))
    })
    .elsewhere(&["beta"]),
    known("enabled", "`true` or `false`", "`true`", |draft, text| {
        put(&mut draft.options.enabled, value::boolean(text))
    }),
    known("endpoint", "a URL such as `http://localhost:9000`", "AWS", |draft, text| {
        draft.s3.endpoint = Some(text.to_owned());
        Ok(())
    })
    .only(Kind::S3)
    .elsewhere(&["endpoint_url"]),
    known("generations", DURATION, "`0` (off)", |draft, text| {
        put(&mut draft.s3.generations, duration(text))
    })
    .only(Kind::S3),
    known("jitter", "a number from 0 to 1", "`0` (off)", |draft, text| {
        put(&mut draft.options.jitter, value::number(text, 1.0))
    }),
    known("lease", DURATION, "`10s`, S3 `60s`", |draft, text| {
        put(&mut draft.options.lease, some_time(text))
    }),
    known("lease_max", DURATION, "`10m`", |draft, text| {
        put(&mut draft.options.lease_max, some_time(text))
    }),
    known("max_size", SIZE, "`64MiB`", |draft, text| put(&mut draft.max_size, some_room(text)))
        .only(Kind::Memory)
        .elsewhere(&["size", "capacity", "max_bytes", "size_limit"]),
    known("near", "a whole number of values", "`10000`", |draft, text| {
        put(&mut draft.options.near, value::whole(text))
    }),
    known("near_trust", DURATION, "`2s`", |draft, text| {
        put(&mut draft.redis.near_trust, some_time(text))
    })
    .only(Kind::Redis),
    known("on_failover", "`resend` or `forget`", "`resend`", |draft, text| {
        put(&mut draft.redis.forgets, value::forgets(text))
    })
    .only(Kind::Redis),
    known("path_style", "`true` or `false`", "`false`", |draft, text| {
        put(&mut draft.s3.path_style, value::boolean(text))
    })
    .only(Kind::S3)
    .elsewhere(&["force_path_style"]),
    known("prefix", PREFIX, "`keyedcache`", |draft, text| {
        put(&mut draft.options.prefix, value::prefix(text))
    })
    .elsewhere(&["namespace", "key_prefix"]),
    known("read_replicas", "`true` or `false`", "`false`", |draft, text| {
        put(&mut draft.redis.read_replicas, value::boolean(text))
    })
    .only(Kind::Redis),
    known("region", "the name of a region", "the environment's", |draft, text| {
        draft.s3.region = Some(text.to_owned());
        Ok(())
    })
    .only(Kind::S3)
    .elsewhere(&["aws_region"]),
    known("sentinel_password", "text", "none", |draft, text| {
        put(&mut draft.redis.sentinel_password, value::some_text(text))
    })
    .only(Kind::Redis),
    known("sentinel_user", "text", "none", |draft, text| {
        put(&mut draft.redis.sentinel_user, value::some_text(text))
    })
    .only(Kind::Redis)
    .elsewhere(&["sentinel_username"]),
    known("single_flight", "`cluster`, `process` or `off`", "`cluster`", |draft, text| {
        put(&mut draft.options.single_flight, value::single_flight(text))
    }),
    known("size_limit", SIZE, "`1GiB`", |draft, text| put(&mut draft.size_limit, some_room(text)))
        .only(Kind::Disk)
        .elsewhere(&["size", "capacity", "max_bytes", "max_size"]),
    known("stale", DURATION, "`0` (off)", |draft, text| {
        put(&mut draft.options.stale, duration(text))
    })
    .elsewhere(&["stale_while_revalidate", "grace"]),
    known("stale_if_error", DURATION, "`0` (off)", |draft, text| {
        put(&mut draft.options.stale_if_error, duration(text))
    }),
    known("store_timeout", DURATION, "`1s`, Redis `250ms`, S3 `5s`", |draft, text| {
        put(&mut draft.options.store_timeout, some_time(text))
    })
    .elsewhere(&["socket_timeout", "response_timeout"]),
    known("timeout", TIMEOUT, "`5m`", |draft, text| put(&mut draft.options.timeout, timeout(text)))
        .elsewhere(&["ttl", "expire", "expires", "expiry", "max_age"]),
    known("version", "a whole number below 4294967296", "`1`", |draft, text| {
        put(&mut draft.options.version, value::whole(text))
    }),
    known("wait", DURATION, "`30s`", |draft, text| put(&mut draft.options.wait, duration(text))),
];

const fn known(
    name: &'static str,
    takes: &'static str,
    default: &'static str,
    set: Set,
) -> KnownOption {
    KnownOption { name, only: None, takes, default, elsewhere: &[], set }
}

fn put<T>(place: &mut Option<T>, value: Result<T, Refusal>) -> Result<(), Refusal> {
    *place = Some(value?);
    Ok(())
}

/// The option of this name.
pub(super) fn option(name: &str) -> Option<&'static KnownOption> {
    OPTIONS.iter().find(|option| option.name == name)
}

impl KnownOption {
    const fn only(mut self, kind: Kind) -> Self {
        self.only = Some(kind);
        self
    }

    const fn elsewhere(mut self, names: &'static [&'static str]) -> Self {
        self.elsewhere = names;
        self
    }

    /// Whether a store of this kind has it; of a store that is not known, it is not held against
    /// the option.
    pub(super) fn fits(&self, kind: Option<Kind>) -> bool {
        self.only.is_none() || kind.is_none() || self.only == kind
    }
}

/// `` `a`, `b` and `c` `` of words that are already quoted.
pub(super) fn listed(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} and {last}", words.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// What leads over to a list of what is known: the question whether `meant` was meant, if anything.
pub(super) fn question(meant: Option<&str>) -> String {
    meant.map_or_else(|| ";".to_owned(), |word| format!("; did you mean `{word}`?"))
}
