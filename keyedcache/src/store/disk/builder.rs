//! Opening a store: its settings, and its threads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;

use super::folder::Folder;
use super::opening::Opening;
use super::{DiskStore, waiters, writer};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};

/// The smallest limit: below it, the pages of the tree itself leave no room for records.
pub(super) const MIN_SIZE_LIMIT: u64 = 1 << 20;

/// Settings of a [`DiskStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct DiskStoreBuilder {
    path: PathBuf,
    size_limit: u64,
    clock: Clock,
    store_timeout: Duration,
}

impl DiskStoreBuilder {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            size_limit: 1 << 30,
            clock: Clock::system(),
            store_timeout: Duration::from_secs(1),
        }
    }

    /// How many bytes it keeps at most; 1 GiB by default, 1 MiB at least.
    ///
    /// Beyond it, what has ended is removed, then what was stored least recently. The file may be a
    /// quarter larger, and another has 256 KiB. While several processes have the folder open, the limit of the first counts.
    pub fn size_limit(mut self, bytes: u64) -> Self {
        self.size_limit = bytes;
        self
    }

    /// What its times are measured by; by default the system's clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How long an operation that writes waits for other processes' writes; 1 s by default.
    ///
    /// A write takes microseconds, and the largest some hundred milliseconds; beyond a second a
    /// process is stopped inside one, and nobody can write until it goes on or ends. Reads never
    /// wait.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// Opens the folder, which is made if there is none.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Config`] if the folder is not a store's, is open in this process already, is
    ///   on a network file system, or was written in an unknown format, or if the limit is below
    ///   1 MiB.
    /// - [`ErrorKind::Unavailable`] if it cannot be read and written, or processes of another PID
    ///   namespace have it open.
    /// - [`ErrorKind::Full`] if the disk is full.
    pub fn open(self) -> Result<DiskStore, Error> {
        if self.size_limit < MIN_SIZE_LIMIT {
            let message = "the size limit of a disk store is at least 1 MiB";
            return Err(
                Error::new(ErrorKind::Config, "open", message).with("size_limit", self.size_limit)
            );
        }
        let opened = Folder::open(&self.path, self.size_limit)?;
        let opening = Arc::new(Opening::new(opened, self.clock, self.store_timeout)?);
        let (end, ended) = mpsc::channel();
        let store = DiskStore { opening, ended: Mutex::new(ended) };
        start(&store.opening, "keyedcache-write", writer::run, end.clone())?;
        start(&store.opening, "keyedcache-wait", waiters::run, end)?;
        Ok(store)
    }
}

fn start(
    opening: &Arc<Opening>,
    name: &str,
    run: fn(&Opening),
    end: mpsc::Sender<()>,
) -> Result<(), Error> {
    let store = opening.name.clone();
    let opening = Arc::clone(opening);
    let body = move || {
        run(&opening);
        drop(opening);
        drop(end);
    };
    match std::thread::Builder::new().name(name.into()).spawn(body) {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = "the operating system gives no thread";
            let error = Error::new(ErrorKind::Unavailable, "open", message).with_source(error);
            Err(error.with("store", store))
        }
    }
}
