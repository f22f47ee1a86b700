//! Where the cache is that a team shares, and what may be expected of it there.

use std::time::Duration;

use tempfile::TempDir;

use crate::s3::S3Server;

/// A cache to put a team on. Each is a new one, and is gone with it.
#[derive(Debug)]
pub struct Ground {
    url: String,
    takeover: Duration,
    push_delay: Duration,
    _keeps: Keeps,
}

/// What lives as long as a ground.
#[derive(Debug)]
enum Keeps {
    Folder { _folder: TempDir },
    Server { _server: S3Server },
}

impl Ground {
    /// A disk store in a folder of its own.
    #[must_use]
    pub fn disk() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self {
            url: format!("disk:{}", folder.path().join("cache").display()),
            takeover: Duration::from_millis(100),
            push_delay: Duration::ZERO,
            _keeps: Keeps::Folder { _folder: folder },
        }
    }

    /// A bucket on a server of its own.
    #[must_use]
    pub fn s3() -> Self {
        Self::s3_with_leases_of(Duration::from_secs(20))
    }

    /// The same with leases of so many seconds: a dead holder is noticed by nothing but their end.
    #[must_use]
    pub fn s3_with_leases_of(lease: Duration) -> Self {
        // A look, and the request for the lease, on a busy machine.
        const REQUESTS: Duration = Duration::from_millis(400);
        let server = S3Server::start();
        Self {
            url: format!("{}&lease={}ms&store_timeout=30s", server.url("team"), lease.as_millis()),
            takeover: lease + REQUESTS,
            push_delay: Duration::ZERO,
            _keeps: Keeps::Server { _server: server },
        }
    }

    /// The same with options of a cache URL: `lease=300ms&wait=5s`.
    #[must_use]
    pub fn with(mut self, options: &str) -> Self {
        let joint = if self.url.contains('?') { '&' } else { '?' };
        self.url = format!("{}{joint}{options}", self.url);
        self
    }

    /// The URL of the cache.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How soon another process takes over from one that died.
    #[must_use]
    pub fn takeover(&self) -> Duration {
        self.takeover
    }

    /// For how long after an acknowledged invalidation another process's near cache may not have
    /// heard of it.
    #[must_use]
    pub fn push_delay(&self) -> Duration {
        self.push_delay
    }
}
