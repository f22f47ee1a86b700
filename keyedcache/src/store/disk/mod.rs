//! The disk store: records, leases and generations in one LMDB environment, shared by the processes
//! of one machine.
//!
//! | file | owns |
//! |---|---|
//! | `builder` `operations` | settings and opening; what each operation reads and writes |
//! | `folder` `marker` `registry` | who may open a folder, and in which state it must be |
//! | `environment` | the call that opens LMDB; what else is mapped |
//! | `opening` | one opening: what the threads share |
//! | `layout` | what the entries look like |
//! | `log` `tail` `appending` | what was stored and changed, in that order; its end; how that moves |
//! | `reader` `memory` | reading within a transaction, on the caller's thread; what it need not read again |
//! | `turn` `writer` `queue` | who may write, on which thread, and what waits for it |
//! | `writing` | what a write transaction does |
//! | `cull` | room |
//! | `owner` | whose process is alive |
//! | `ring` | pushed changes |
//! | `waiters` | who waits for a lease to end |
//! | `fault` | errors |
//!
//! Invariants:
//!
//! - Each operation is one transaction. None is open across an `.await`. Whoever writes has a turn,
//!   and no thread but the writer's ever waits for one.
//! - What other processes can see of an operation they see whole, whenever this one is killed.
//! - What is stored outlives the processes, not a crash of the machine: after one, the folder is
//!   emptied.

mod appending;
mod builder;
#[cfg(test)]
mod costs;
mod cull;
mod environment;
mod fault;
mod folder;
mod layout;
mod log;
mod marker;
mod memory;
mod opening;
mod operations;
mod owner;
mod queue;
mod reader;
mod registry;
mod ring;
mod tail;
#[cfg(test)]
mod tests;
mod turn;
mod waiters;
mod writer;
mod writing;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, mpsc};

use parking_lot::Mutex;

pub use self::builder::DiskStoreBuilder;
use self::opening::Opening;
use super::StoredKey;
use crate::error::{Error, ErrorKind};
use crate::record::Record;

/// The largest record it takes, whatever its limit.
const MAX_RECORD: usize = 64 << 20;

/// A folder of records, shared by all processes of the machine that open it.
///
/// Reads take about a microsecond and finish on the caller's thread; so do short writes, in some
/// microseconds, while nobody else writes. All others go through one thread of each process. Writes
/// are whole or not at all, whenever a process is killed; they survive the processes, not a crash of
/// the machine, after which the folder is found empty.
///
/// A holder of a lease that dies is noticed within 20 ms by those who [wait](crate::store::Store::changed), and at
/// once by those who ask for the [lease](crate::store::Store::lease); [`load`](crate::store::Store::load) may still tell of it.
///
/// The folder must be on a local file system and be open once in each process; all processes that
/// share it must be of one PID namespace. After a `fork` the child has to open it anew.
///
/// ```
/// use keyedcache::store::{DiskStore, Store};
///
/// let folder = tempfile::tempdir()?;
/// let store = DiskStore::builder(folder.path()).size_limit(64 << 20).open()?;
/// assert!(store.name().starts_with("disk:/"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DiskStore {
    opening: Arc<Opening>,
    /// Each thread drops its end when it has let go of the opening.
    ended: Mutex<mpsc::Receiver<()>>,
}

impl DiskStore {
    /// Opens the folder with the default settings.
    ///
    /// # Errors
    ///
    /// As [`DiskStoreBuilder::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(path).open()
    }

    /// Settings to change before it is opened.
    pub fn builder(path: impl AsRef<Path>) -> DiskStoreBuilder {
        DiskStoreBuilder::new(path.as_ref())
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.opening.path()
    }

    fn max_record(&self) -> usize {
        let quarter = self.opening.folder.size_limit() / 4;
        MAX_RECORD.min(usize::try_from(quarter).unwrap_or(MAX_RECORD))
    }

    fn check_size(&self, key: &StoredKey, record: &Record) -> Result<(), Error> {
        self.check_key("save", key)?;
        if record.bytes().len() > self.max_record() {
            let message = "the record is larger than 64 MiB or a quarter of the size limit";
            let error = self.opening.refusal(ErrorKind::TooLarge, "save", message);
            return Err(error
                .with("key", key)
                .with("bytes", record.bytes().len())
                .with("at most", self.max_record()));
        }
        Ok(())
    }

    fn check_key(&self, operation: &'static str, key: &StoredKey) -> Result<(), Error> {
        if key.as_str().len() <= layout::MAX_TEXT {
            return Ok(());
        }
        let message = "the stored key is longer than 510 bytes; shorten the prefix";
        let error = self.opening.refusal(ErrorKind::TooLarge, operation, message);
        Err(error.with("key", key))
    }
}

impl Drop for DiskStore {
    /// Lets what is queued be written, and closes the folder; waits for that as long as for a write.
    fn drop(&mut self) {
        if !self.opening.is_own_process() {
            // The threads are the parent's, and closing the map here would be done to its locks.
            std::mem::forget(Arc::clone(&self.opening));
            return;
        }
        self.opening.queue.close();
        self.opening.waiters.close();
        // An error means that both have ended.
        let _ = self.ended.lock().recv_timeout(self.opening.store_timeout);
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("path", &self.path())
            .field("size_limit", &self.opening.folder.size_limit())
            .finish_non_exhaustive()
    }
}
