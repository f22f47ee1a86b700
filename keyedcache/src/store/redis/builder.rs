//! Settings of a Redis store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::RedisStore;
use super::address::{self, RedisAddress};
use crate::error::{Error, ErrorKind};

/// What a link needs to know.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) address: RedisAddress,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) near_trust: Duration,
    pub(super) concurrency: usize,
    pub(super) on_failover: OnFailover,
    pub(super) read_replicas: bool,
    pub(super) callers_runtimes: bool,
    #[cfg_attr(not(feature = "redis-tls"), expect(dead_code, reason = "there is no TLS"))]
    pub(super) tls_root: Option<Arc<[u8]>>,
}

/// What a process does when it finds that the server's history is another: a replica took over, or
/// the server was restarted, perhaps from an older snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailover {
    /// It sends again what it invalidated and deleted in the last minute. What others had struck who
    /// have ended since may come back.
    #[default]
    Resend,
    /// Everything is missing, for everyone. All who share the server have to say so, else they never
    /// find each other's records. Each read asks for one key more, and each sign of life for a
    /// script. Of a cluster, see [there](RedisStore#on-a-cluster).
    ///
    /// A history is known by the `master_replid` that the server tells. That one changes, too, when a
    /// server that has had none gets its first replica, and when it frees its replication backlog
    /// because it has had no replica for `repl-backlog-ttl` (an hour by default; 0 is never): then
    /// everything is missing without a failover.
    Forget,
}

/// Settings of a [`RedisStore`].
#[must_use]
pub struct RedisStoreBuilder {
    address: Result<RedisAddress, Error>,
    timeout: Duration,
    connect_timeout: Duration,
    near_trust: Duration,
    concurrency: usize,
    on_failover: OnFailover,
    read_replicas: bool,
    callers_runtimes: bool,
    tls_root: Option<Arc<[u8]>>,
}

impl RedisStoreBuilder {
    pub(super) fn new(address: Result<RedisAddress, Error>) -> Self {
        Self {
            address,
            timeout: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(1),
            near_trust: Duration::from_secs(2),
            concurrency: 1024,
            on_failover: OnFailover::default(),
            read_replicas: false,
            callers_runtimes: cfg!(panic = "unwind"),
            tls_root: None,
        }
    }

    pub(super) fn from_url(url: &str) -> Self {
        Self::new(address::from_url(url))
    }

    /// How long an operation may take in all, a second attempt after a lost connection included;
    /// 250 ms by default.
    ///
    /// Once an answer has not come in time, all fail at once until the server gives a sign of life,
    /// so that one call of a cached function waits so long once at most.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long one attempt to connect and log in may take; 1 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// For how long after a sign of life near caches are trusted; 2 s by default, 10 ms at least.
    ///
    /// That is how long a near cache may serve what another process has changed if the network is cut
    /// without a word. A connection without a sign of life for so long is given up.
    pub fn near_trust(mut self, near_trust: Duration) -> Self {
        self.near_trust = near_trust;
        self
    }

    /// How many requests may be under way at once over a connection; 1,024 by default. Others wait,
    /// within their time.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// What is done when a server turns out to have another history; by default what was invalidated
    /// lately is sent again.
    pub fn on_failover(mut self, on_failover: OnFailover) -> Self {
        self.on_failover = on_failover;
        self
    }

    /// Whether records are read from the primary's replicas where they can be; by default they are
    /// not. See [what it costs](RedisStore#replicas).
    pub fn read_replicas(mut self, read_replicas: bool) -> Self {
        self.read_replicas = read_replicas;
        self
    }

    /// Whether each Tokio runtime that awaits reads gets a connection of its own for them, which it
    /// drives itself; by default it does where panics unwind. See
    /// [what goes over it](RedisStore#connections).
    ///
    /// A runtime that was built without `enable_io` can drive none, and Tokio tells so only by a panic:
    /// "A Tokio 1.x context was found, but IO is disabled". keyedcache provokes it with the first reads
    /// and catches it, and nothing is lost; but a panic hook sees it, the standard one prints it. It is
    /// seen at most once in a process for each kind of runtime, which is its flavor and its number of
    /// workers; from then on none of that kind is given a connection, even if it could drive one. A
    /// program with such runtimes turns this off to see no panic, or enables their I/O.
    ///
    /// Where panics abort it would end the process, so there this must be asked for, by those whose
    /// runtimes all have their I/O enabled, as `#[tokio::main]` and `Runtime::new` do.
    pub fn callers_runtimes(mut self, callers_runtimes: bool) -> Self {
        self.callers_runtimes = callers_runtimes;
        self
    }

    /// Who logs in to the sentinels of `redis+sentinel:`; with an empty name, their default user.
    /// By default nobody does: what the URL says is for the servers.
    pub fn sentinel_login(mut self, user: &str, password: &str) -> Self {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        self.address = self.address.and_then(|address| {
            let address = address.with_sentinel_login(some(user), some(password));
            address.map_err(|because| Error::new(ErrorKind::Config, "open a store", because))
        });
        self
    }

    /// The certificate (PEM) that servers' certificates must be signed by, instead of the system's.
    #[cfg(feature = "redis-tls")]
    pub fn tls_root(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls_root = Some(pem.into().into());
        self
    }

    /// Begins to connect, in the background.
    ///
    /// A server that cannot be reached is no error: operations fail until it can be, and caches
    /// compute meanwhile. [`Cache::require`](crate::Cache::require) says what is wrong.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the URL is wrong, needs a feature that this build lacks, or a setting
    /// is below its least.
    pub fn build(self) -> Result<RedisStore, Error> {
        let address = self.address?;
        if address.is_tls() && !cfg!(feature = "redis-tls") {
            return Err(wrong(
                "`rediss:` needs the feature `redis-tls` of keyedcache, which this \
                              build lacks",
            ));
        }
        if !address.has_its_database() {
            return Err(wrong("a cluster has no database but 0"));
        }
        for (is_too_small, because) in [
            (self.timeout.is_zero(), "`timeout` must be above zero"),
            (self.connect_timeout.is_zero(), "`connect_timeout` must be above zero"),
            (self.near_trust < Duration::from_millis(10), "`near_trust` must be 10 ms at least"),
            (self.concurrency == 0, "`concurrency` must be 1 at least"),
        ] {
            if is_too_small {
                return Err(wrong(because));
            }
        }
        Ok(RedisStore::start(Settings {
            address,
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            near_trust: self.near_trust,
            concurrency: self.concurrency.min(tokio::sync::Semaphore::MAX_PERMITS),
            on_failover: self.on_failover,
            read_replicas: self.read_replicas,
            callers_runtimes: self.callers_runtimes,
            tls_root: self.tls_root,
        }))
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("address", &self.address)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("near_trust", &self.near_trust)
            .field("concurrency", &self.concurrency)
            .field("on_failover", &self.on_failover)
            .field("read_replicas", &self.read_replicas)
            .field("callers_runtimes", &self.callers_runtimes)
            .finish_non_exhaustive()
    }
}

fn wrong(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "open a store", message)
}
