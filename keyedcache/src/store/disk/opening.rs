//! One opening of a folder: what the callers' threads, the writer and the watcher share.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use heed::{Env, MdbError, RoTxn, WithTls};

use super::cull::Room;
use super::environment::{Process, Tree};
use super::fault;
use super::folder::{Folder, Opened};
use super::log;
use super::memory::OpeningId;
use super::owner::Owners;
use super::queue::Queue;
use super::ring::Ring;
use super::tail::Tail;
use super::turn::Turns;
use super::waiters::Waiters;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};

/// How long a removed folder may go unnoticed: two ticks of the coarse clock and little more.
const CHECK_EVERY: u64 = 10_000;

pub(super) struct Opening {
    // Closed first, while the folder is still locked.
    pub(super) env: Env,
    // And this after it, before it can be opened again (`turn.rs`).
    pub(super) turns: Turns,
    pub(super) id: OpeningId,
    pub(super) tree: Tree,
    pub(super) tail: Tail,
    pub(super) owners: Owners,
    pub(super) folder: Folder,
    pub(super) name: String,
    pub(super) clock: Clock,
    pub(super) store_timeout: Duration,
    pub(super) queue: Queue,
    pub(super) ring: Ring,
    pub(super) waiters: Waiters,
    process: Process,
    /// The coarse time, in microseconds, at which the folder was last looked for.
    checked: AtomicU64,
    is_gone: AtomicBool,
}

impl Opening {
    pub(super) fn new(
        opened: Opened,
        clock: Clock,
        store_timeout: Duration,
    ) -> Result<Self, Error> {
        let name = format!("disk:{}", opened.folder.path().display());
        let turns = Turns::open(opened.folder.path(), room(&opened)).map_err(|error| {
            let what = "writer.turn cannot be used";
            fault::from_io("open", what, opened.folder.path(), error)
        })?;
        let opening = Self {
            env: opened.env,
            turns,
            id: OpeningId::new(),
            tree: opened.tree,
            tail: opened.tail,
            owners: opened.owners,
            folder: opened.folder,
            name,
            clock,
            store_timeout,
            queue: Queue::default(),
            ring: Ring::default(),
            waiters: Waiters::default(),
            process: Process::this(),
            checked: AtomicU64::new(0),
            is_gone: AtomicBool::new(false),
        };
        opening.ring.start(&opening)?;
        Ok(opening)
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How many entries of the log are kept in the tree for those who have not heard of them.
    pub(super) fn kept(&self) -> u64 {
        log::kept(self.folder.size_limit())
    }

    /// Whether this is the process that opened the folder.
    pub(super) fn is_own_process(&self) -> bool {
        self.process.is_this()
    }

    /// Refuses what can no longer be done: in a child after `fork`, or when the folder has been
    /// removed.
    pub(super) fn check(&self, operation: &'static str) -> Result<(), Error> {
        if !self.is_own_process() {
            let message = "this process was forked from the one that opened the store, and LMDB \
                           does not outlive a fork; open the store after forking";
            return Err(self.refusal(ErrorKind::Unavailable, operation, message));
        }
        if self.is_gone() {
            let message = "the folder has been removed while it was open; open the store anew";
            return Err(self.refusal(ErrorKind::Unavailable, operation, message));
        }
        Ok(())
    }

    /// Whether the folder has been removed. Looks every 10 ms at most, since looking costs a system
    /// call.
    pub(super) fn is_gone(&self) -> bool {
        let tick = Clock::system().coarse_now().as_micros();
        if tick.abs_diff(self.checked.load(Ordering::Relaxed)) >= CHECK_EVERY {
            self.checked.store(tick, Ordering::Relaxed);
            if !self.folder.is_there() {
                self.is_gone.store(true, Ordering::Relaxed);
            }
        }
        self.is_gone.load(Ordering::Relaxed)
    }

    pub(super) fn refusal(
        &self,
        kind: ErrorKind,
        operation: &'static str,
        message: &'static str,
    ) -> Error {
        Error::new(kind, operation, message).with("store", &self.name)
    }

    /// Reads in one transaction on this thread. `body` copies out what it needs; it must not read
    /// through this function again, since a thread has one read transaction at a time.
    pub(super) fn read<T>(
        &self,
        operation: &'static str,
        body: impl FnOnce(&RoTxn<'_>, Tree) -> heed::Result<T>,
    ) -> Result<T, Error> {
        self.check(operation)?;
        let read = || body(&*self.snapshot()?, self.tree);
        read().map_err(|error| self.fault(operation, error))
    }

    fn snapshot(&self) -> heed::Result<RoTxn<'_, WithTls>> {
        match self.env.read_txn() {
            Err(heed::Error::Mdb(MdbError::ReadersFull)) => {
                self.env.clear_stale_readers()?;
                self.env.read_txn()
            }
            other => other,
        }
    }

    pub(super) fn fault(&self, operation: &'static str, error: heed::Error) -> Error {
        if fault::is_damage(&error) {
            self.folder.mark_damaged();
        }
        fault::from_heed(operation, self.path(), error)
    }
}

fn room(opened: &Opened) -> Room {
    let page = u64::from(opened.env.unnamed_database_stat().page_size);
    Room::new(opened.folder.size_limit(), opened.folder.map_size(), page.max(1))
}

impl Drop for Opening {
    fn drop(&mut self) {
        if self.is_own_process() {
            self.owners.leave();
            self.folder.close(|| self.tail.sync().is_ok() && self.env.force_sync().is_ok());
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("folder", &self.folder).finish_non_exhaustive()
    }
}
