//! Where the cache is that a team shares, and what may be expected of it there.

use std::time::Duration;

use tempfile::TempDir;

/// A cache to put a team on. Each is a new one, and is gone with it.
#[derive(Debug)]
pub struct Ground {
    url: String,
    takeover: Duration,
    push_delay: Duration,
    _folder: Option<TempDir>,
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
            _folder: Some(folder),
        }
    }

    /// A store on Redis servers that the test has started: `redis://127.0.0.1:12345`.
    #[must_use]
    pub fn redis(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            takeover: Duration::from_secs(10), // a lease
            push_delay: Duration::from_millis(20),
            _folder: None,
        }
    }

    /// The same with options of a cache URL: `lease=300ms&wait=5s`.
    #[must_use]
    pub fn with(mut self, options: &str) -> Self {
        self.url = format!("{}?{options}", self.url);
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
