//! The disk store: records, leases and generations in one LMDB environment, shared by the processes
//! of one machine.
//!
//! | file | owns |
//! |---|---|
//! | `folder` `marker` `registry` | who may open a folder, and in which state it must be |
//! | `environment` | the call that opens LMDB |
//! | `opening` | one opening: what the threads share |
//! | `layout` | what the entries look like |
//! | `reader` | reading within a transaction, on the caller's thread |
//! | `writer` `writing` | the writer's thread and queue; what a write transaction does |
//! | `cull` | room |
//! | `owner` | whose process is alive |
//! | `ring` | pushed changes |
//! | `waiters` | who waits for a lease to end |
//! | `fault` | errors |
//!
//! Invariants:
//!
//! - Each operation is one transaction. None is open across an `.await`, and no thread but the
//!   writer's ever waits for the right to write.
//! - What other processes can see of an operation they see whole, whenever this one is killed.
//! - What is stored outlives the processes, not a crash of the machine: after one, the folder is
//!   emptied.

mod cull;
mod environment;
mod fault;
mod folder;
mod layout;
mod marker;
mod opening;
mod owner;
mod reader;
mod registry;
mod ring;
#[cfg(test)]
mod tests;
mod waiters;
mod writer;
mod writing;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

use parking_lot::Mutex;

use self::folder::Folder;
use self::opening::Opening;
use self::writer::Request;
use super::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page, Pending,
    Release, Severity, Sink, Store, StoredKey, Ttl,
};
use crate::clock::{Clock, Moment};
use crate::error::{Error, ErrorKind};
use crate::record::Life;
use crate::record::{Generation, Record, RecordId, Scope};

/// The largest record it takes, whatever its limit.
const MAX_RECORD: usize = 64 << 20;

/// The smallest limit: below it, the pages of the tree itself leave no room for records.
const MIN_SIZE_LIMIT: u64 = 1 << 20;

/// How many records one step of a clear removes in one transaction.
const CLEARED_AT_ONCE: usize = 256;

/// What a small entry is taken to need when room is made for it.
const SMALL: usize = 256;

/// A folder of records, shared by all processes of the machine that open it.
///
/// Reads take about a microsecond and finish on the caller's thread. Writes go through one thread of
/// each process and are whole or not at all, whenever a process is killed; they survive the
/// processes, not a crash of the machine, after which the folder is found empty.
///
/// A holder of a lease that dies is noticed within 20 ms by those who [wait](Store::changed), and at
/// once by those who ask for the [lease](Store::lease); [`load`](Store::load) may still tell of it.
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
    /// How many bytes it keeps at most; 1 GiB by default, 1 MiB at least.
    ///
    /// Beyond it, what has ended is removed, then what was stored least recently. The file may be a
    /// quarter larger. While several processes have the folder open, the limit of the first counts.
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
        store.start("keyedcache-write", writer::run, end.clone())?;
        store.start("keyedcache-wait", waiters::run, end)?;
        Ok(store)
    }
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
        DiskStoreBuilder {
            path: path.as_ref().to_owned(),
            size_limit: 1 << 30,
            clock: Clock::system(),
            store_timeout: Duration::from_secs(1),
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.opening.path()
    }

    fn start(&self, name: &str, run: fn(&Opening), end: mpsc::Sender<()>) -> Result<(), Error> {
        let opening = Arc::clone(&self.opening);
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
                Err(error.with("store", &self.opening.name))
            }
        }
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

    /// The answer to a request for a lease, if it needs no writing.
    fn refused_lease(
        &self,
        key: &StoredKey,
        token: LeaseToken,
        seen: Option<RecordId>,
    ) -> Result<Option<Leasing>, Error> {
        let now = self.opening.clock.now();
        let (lease, slot) = self.opening.read("lease", |snapshot, tree| {
            let lease = reader::lease(snapshot, tree, key)?.filter(|lease| lease.stands(now));
            if lease.is_some() {
                return Ok((lease, None));
            }
            let record = reader::record(snapshot, tree, key, now)?;
            if record.map(|entry| Record::id_of(entry.record)) == seen {
                return Ok((None, None));
            }
            let slot = reader::slot(snapshot, tree, key, now)?;
            Ok((None, Some(slot)))
        })?;
        Ok(match (lease, slot) {
            (Some(lease), _) if lease.token == token => None,
            (Some(lease), _) if self.opening.owners.is_alive(lease.owner) => {
                Some(Leasing::Held { by: lease.token, remaining: lease.ends.since(now) })
            }
            (_, slot) => slot.map(Leasing::Changed),
        })
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

impl Store for DiskStore {
    fn name(&self) -> &str {
        &self.opening.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            leases: true,
            pushes: true,
            shared: true,
            max_record: Some(self.max_record()),
            ..Capabilities::new()
        }
    }

    fn now(&self) -> Moment {
        self.opening.clock.now()
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        Box::pin(async move {
            let now = self.opening.clock.now();
            self.opening.read("load", |snapshot, tree| {
                let mut loaded = Loaded {
                    slots: Vec::with_capacity(keys.len()),
                    generations: Vec::with_capacity(scopes.len()),
                };
                for key in keys {
                    loaded.slots.push(reader::slot(snapshot, tree, key, now)?);
                }
                for scope in scopes {
                    let generation = reader::generation(snapshot, tree, scope.id())?;
                    loaded.generations.push(generation);
                }
                Ok(loaded)
            })
        })
    }

    fn save<'a>(
        &'a self,
        key: &'a StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            self.check_size(key, &record)?;
            let request = Request::storing("save", record.bytes().len() + SMALL);
            let key = key.clone();
            let save = move |writing: &mut writing::Writing<'_>| {
                writing.save(&key, &record, ttl, guard).map(Ok)
            };
            self.opening.write(request, save).await
        })
    }

    fn delete<'a>(&'a self, keys: &'a [StoredKey]) -> Pending<'a, usize> {
        Box::pin(async move {
            let keys = keys.to_vec();
            let request = Request::removing("delete");
            let delete = move |writing: &mut writing::Writing<'_>| writing.delete(&keys).map(Ok);
            self.opening.write(request, delete).await
        })
    }

    fn lease<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Pending<'a, Leasing> {
        Box::pin(async move {
            self.check_key("lease", key)?;
            if let Some(refused) = self.refused_lease(key, token, seen)? {
                return Ok(refused);
            }
            let key = key.clone();
            let request = Request::storing("lease", SMALL);
            let lease = move |writing: &mut writing::Writing<'_>| {
                writing.lease(&key, token, ttl, seen).map(Ok)
            };
            self.opening.write(request, lease).await
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let key = key.clone();
            let request = Request::removing("renew");
            let renew =
                move |writing: &mut writing::Writing<'_>| writing.renew(&key, token, ttl).map(Ok);
            self.opening.write(request, renew).await
        })
    }

    fn release<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let key = key.clone();
            let request = Request::removing("release");
            let release = move |writing: &mut writing::Writing<'_>| {
                writing.release(&key, token, release).map(Ok)
            };
            self.opening.write(request, release).await
        })
    }

    fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()> {
        Box::pin(self.opening.changed(key, lease, at_most))
    }

    fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        self.opening.ring.subscribe(holder, sink);
    }

    /// Reads one number of the shared memory, and what has been changed if that has moved.
    fn trusted(&self) -> bool {
        let opening = &*self.opening;
        !opening.is_gone() && (opening.ring.is_told(opening) || opening.ring.tell(opening).is_ok())
    }

    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        Box::pin(async move {
            let found = self.opening.read("generations", |snapshot, tree| {
                let stored = |scope: &Scope| reader::generation(snapshot, tree, scope.id());
                scopes.iter().map(stored).collect::<heed::Result<Option<Vec<_>>>>()
            })?;
            if let Some(generations) = found {
                return Ok(generations);
            }
            let scopes = scopes.to_vec();
            let request = Request::storing("generations", SMALL * scopes.len());
            let create =
                move |writing: &mut writing::Writing<'_>| writing.generations(&scopes).map(Ok);
            self.opening.write(request, create).await
        })
    }

    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()> {
        Box::pin(async move {
            let scopes = scopes.to_vec();
            let request = Request::removing("invalidate");
            let invalidate = move |writing: &mut writing::Writing<'_>| {
                writing.invalidate(&scopes, severity).map(Ok)
            };
            self.opening.write(request, invalidate).await
        })
    }

    fn touch<'a>(&'a self, key: &'a StoredKey, seen: RecordId, life: Life) -> Pending<'a, bool> {
        Box::pin(async move {
            let key = key.clone();
            let request = Request::storing("touch", SMALL);
            let touch = move |writing: &mut writing::Writing<'_>| writing.touch(&key, seen, life);
            self.opening.write(request, touch).await
        })
    }

    fn increment<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Pending<'a, Incremented> {
        Box::pin(async move {
            let key = key.clone();
            let request = Request::storing("increment", SMALL);
            let increment =
                move |writing: &mut writing::Writing<'_>| writing.increment(&key, seen, by);
            self.opening.write(request, increment).await
        })
    }

    /// Pages come in the order of the keys; `next` is the last key that was looked at.
    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Page> {
        Box::pin(async move {
            let now = self.opening.clock.now();
            self.opening.read("scan", |snapshot, tree| {
                reader::page(snapshot, tree, prefix, from, limit.max(1), now)
            })
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Pending<'a, usize> {
        Box::pin(async move {
            let mut cleared = 0;
            loop {
                let prefix = prefix.to_owned();
                let request = Request::removing("clear");
                let step = move |writing: &mut writing::Writing<'_>| {
                    writing.clear(&prefix, CLEARED_AT_ONCE).map(Ok)
                };
                let (removed, is_more) = self.opening.write(request, step).await?;
                cleared += removed;
                if !is_more {
                    return Ok(cleared);
                }
            }
        })
    }
}
