//! Where the cache is that a team shares, and what may be expected of it there.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use crate::redis::{Cluster, Server};
use crate::s3::S3Server;

/// A cache to put a team on. Each is a new one, and is gone with it.
pub struct Ground {
    url: String,
    notices_death: bool,
    lease: Duration,
    noticing: Duration,
    push_delay: Duration,
    _kept: Box<dyn Any + Send + Sync>,
}

impl Ground {
    /// A disk store in a folder of its own.
    #[must_use]
    pub fn disk() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let url = format!("disk:{}?", folder.path().join("cache").display());
        Self { notices_death: true, ..Self::new(url, Duration::ZERO, folder) }
    }

    /// A Redis server of its own, which is given the time that a busy machine takes.
    #[must_use]
    pub fn redis() -> Self {
        let server = Server::start();
        Self::new(
            format!("{}?store_timeout=5s&connect_timeout=5s", server.url()),
            PUSH_DELAY,
            server,
        )
    }

    /// A Redis Cluster of its own, three primaries with a replica each, given as much time.
    #[must_use]
    pub fn cluster() -> Self {
        let cluster = Cluster::start();
        let url = format!("{}?store_timeout=5s&connect_timeout=5s", cluster.url());
        Self::new(url, PUSH_DELAY, cluster)
    }

    /// A store on servers that the test has started, with the default times: `redis://127.0.0.1:12345`.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self::new(format!("{url}?"), PUSH_DELAY, ())
    }

    /// A bucket on a server of its own, where nothing but the end of its lease tells of a dead holder.
    #[must_use]
    pub fn s3() -> Self {
        Self::bucket(S3Server::start())
    }

    /// The same on a server that ignores preconditions.
    #[must_use]
    pub fn unheeding_s3() -> Self {
        let server = S3Server::start();
        server.heed_conditions(false);
        Self::bucket(server)
    }

    fn bucket(server: S3Server) -> Self {
        let url = format!("{}&store_timeout=30s", server.url("team"));
        Self {
            lease: Duration::from_mins(1), // by default
            // A look, and the request for the lease, by unoptimized code.
            noticing: Duration::from_millis(400),
            ..Self::new(url, Duration::ZERO, server)
        }
    }

    fn new(url: String, push_delay: Duration, kept: impl Any + Send + Sync) -> Self {
        let lease = Duration::from_secs(10); // by default
        let noticing = Duration::from_millis(100);
        Self { url, notices_death: false, lease, noticing, push_delay, _kept: Box::new(kept) }
    }

    /// The same with leases of this length.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self.with(&format!("lease={}ms", lease.as_millis())) }
    }

    /// The same with an option of a cache URL: `wait=5s`.
    #[must_use]
    pub fn with(mut self, option: &str) -> Self {
        let separator = if self.url.ends_with('?') { "" } else { "&" };
        self.url = format!("{}{separator}{option}", self.url);
        self
    }

    /// The same without near caches, so that there is no delay to wait for.
    #[must_use]
    pub fn without_near(self) -> Self {
        Self { push_delay: Duration::ZERO, ..self.with("near=0") }
    }

    /// The URL of the cache.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.strip_suffix('?').unwrap_or(&self.url)
    }

    /// Whether the death of a process that computes is noticed, rather than the end of its lease waited
    /// for.
    #[must_use]
    pub fn notices_death(&self) -> bool {
        self.notices_death
    }

    /// How soon another process takes over from one that died.
    #[must_use]
    pub fn takeover(&self) -> Duration {
        if self.notices_death { self.noticing } else { self.lease + self.noticing }
    }

    /// For how long after an acknowledged invalidation another process's near cache may not have
    /// heard of it.
    #[must_use]
    pub fn push_delay(&self) -> Duration {
        self.push_delay
    }
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// More than a push takes over the network of one machine, busy or not.
const PUSH_DELAY: Duration = Duration::from_millis(50);
