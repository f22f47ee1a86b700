//! Opens the LMDB environment, marks the process that has done so, and maps the words that processes
//! share beside it: the one place of the crate with unsafe code.
//!
//! Flags: `NO_SYNC` and `NO_META_SYNC`, since a cache need not outlive a power failure: a folder
//! that was open when its machine stopped is emptied at the next opening (`folder.rs`). Not
//! `WRITE_MAP`: the map stays read-only, pages are written with `pwrite` before the meta page that
//! names them, so a process killed at any moment leaves the last committed transaction, a full disk
//! is an error and not a `SIGBUS`, and no stray pointer can damage the file. The lock file is mapped
//! to be written to, so it must have all its room before ([`reserve`]).

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Deref;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::record::{random_bytes, tell_processes_by};

/// The only tree of the environment, so that a read looks up no other, a write dirties the fewest
/// pages, and its statistics are those of all that is stored. `layout.rs` divides it.
pub(super) type Tree = Database<'static, Bytes, Bytes>;

/// Threads that may read at one time, over all processes; 64 bytes of the lock file each.
const MAX_READERS: u32 = 4096;

/// The length of the lock file: a line of 64 bytes for each reader, and some for its head.
const LOCK_FILE: u64 = (MAX_READERS as u64 + 8) * 64;

/// Gives the lock file its room on the disk. LMDB makes it with holes, and a thread that is the first
/// to read through one while the disk is full would be killed by `SIGBUS`.
///
/// Only before this process opens the environment: closing the file drops its locks. File systems
/// that cannot reserve room leave it with holes.
pub(super) fn reserve(folder: &Path) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(folder.join("lock.mdb"))?;
    match fallocate(&file, FallocateFlags::empty(), 0, LOCK_FILE) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        reserved => Ok(reserved?),
    }
}

/// Opens the environment of a folder that the caller has claimed.
pub(super) fn open(folder: &Path, map_size: usize) -> heed::Result<(Env, Tree)> {
    let mut options = EnvOpenOptions::new();
    options.map_size(map_size).max_readers(MAX_READERS);
    let flags = EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC;
    // SAFETY: a memory map is sound while nobody changes the file under it but by LMDB's protocol,
    // and LMDB's protocol holds while its lock file works. `Folder::claim` has seen to that before
    // it calls this function: the folder is marked as this crate's own, so its `data.mdb` is written
    // by LMDB alone; it lies on no network file system; its live openings are all in this PID
    // namespace, by which LMDB tells dead readers and writers; this process has it open once; and
    // what a crash of the machine may have left half written has been removed. The flags weaken
    // durability, not the order in which other processes see writes, which is the page cache's.
    let env = unsafe { options.flags(flags).open(folder)? };
    let snapshot = env.read_txn()?;
    let tree = env
        .open_databases_and_commit(snapshot, |opener, snapshot| {
            opener.open_database::<Bytes, Bytes>(snapshot, None).map(CommitOrAbort::<_, ()>::Commit)
        })?
        .unwrap_commit()
        .expect("the unnamed database always exists");
    Ok((env, tree))
}

/// Tells the process that opened an environment from those forked of it, by one load and no system
/// call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Process {
    /// What stands in the memory that is wiped in the child of a fork.
    Marked(u64),
    /// The process's number, where the system has no such memory.
    Numbered(u32),
}

impl Process {
    /// This one.
    pub(super) fn this() -> Self {
        let Some(mark) = mark() else {
            return Self::Numbered(std::process::id());
        };
        tell_processes_by(own_mark);
        Self::Marked(match mark.load(Ordering::Acquire) {
            0 => marked(mark),
            own => own,
        })
    }

    /// Whether it is this one.
    #[inline]
    pub(super) fn is_this(self) -> bool {
        match (self, mark()) {
            (Self::Marked(own), Some(mark)) => mark.load(Ordering::Acquire) == own,
            (Self::Numbered(own), _) => std::process::id() == own,
            (Self::Marked(_), None) => false,
        }
    }
}

/// What this process is marked with.
fn own_mark() -> Option<NonZeroU64> {
    NonZeroU64::new(mark()?.load(Ordering::Acquire))
}

/// Marks this process as one that no other is.
#[cold]
fn marked(mark: &AtomicU64) -> u64 {
    let new = u64::from_le_bytes(random_bytes()).max(1);
    let order = Ordering::AcqRel;
    mark.compare_exchange(0, new, order, Ordering::Acquire).map_or_else(|own| own, |_| new)
}

/// A number that is zero in every process until that marks itself, in the child of a fork too.
fn mark() -> Option<&'static AtomicU64> {
    static MARK: OnceLock<Option<&'static AtomicU64>> = OnceLock::new();
    *MARK.get_or_init(wiped_on_fork)
}

/// A page of its own, since memory is wiped by pages. It is kept until the process ends.
#[cfg(target_os = "linux")]
fn wiped_on_fork() -> Option<&'static AtomicU64> {
    use rustix::mm::{Advice, madvise, mmap_anonymous};

    let length = size_of::<AtomicU64>(); // both calls round it up to a page
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new private mapping, at an address of the kernel's choice, touches nothing there is.
    // It is never unmapped, it is zero, as an `AtomicU64` may be, and aligned to a page; and no other
    // reference to it is ever made. Wiping changes it only in a child, while that is not running.
    unsafe {
        let page = mmap_anonymous(std::ptr::null_mut(), length, protection, MapFlags::PRIVATE);
        let page = page.ok()?;
        madvise(page, length, Advice::LinuxWipeOnFork).ok()?;
        Some(&*page.cast::<AtomicU64>())
    }
}

#[cfg(not(target_os = "linux"))]
fn wiped_on_fork() -> Option<&'static AtomicU64> {
    None
}

/// The words of a file, which all processes that have mapped it see as they are: to read or write one
/// takes no system call, and what is written stays when its process is killed.
#[derive(Debug)]
pub(super) struct SharedWords {
    file: File,
    first: NonNull<AtomicU32>,
    count: usize,
}

impl SharedWords {
    const BYTES: usize = size_of::<AtomicU32>();
    const PAGE: usize = 4096;

    /// Maps so many words of the file at this path. It is made if there is none, of zeros, and has all
    /// its room from then on: a write to a map for which the disk has none would be a `SIGBUS`. By the
    /// one who has the folder to itself, or what others have written would be overwritten.
    pub(super) fn open(path: &Path, count: usize) -> io::Result<Self> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path)?;
        let length = count * Self::BYTES;
        if file.metadata()?.len() < length as u64 {
            for at in (0..length).step_by(Self::PAGE) {
                file.write_all_at(&[0; Self::PAGE], at as u64)?;
            }
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let nowhere = std::ptr::null_mut();
        // SAFETY: a new mapping, at an address of the kernel's choice, touches nothing there is. The
        // file is as long, and nobody cuts it off: the folder is this crate's own (`Folder::claim`).
        let first = unsafe { mmap(nowhere, length, protection, MapFlags::SHARED, &file, 0)? };
        let first = NonNull::new(first.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { file, first, count })
    }

    /// The file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Deref for SharedWords {
    type Target = [AtomicU32];

    fn deref(&self) -> &[AtomicU32] {
        // SAFETY: so many words are mapped until this is dropped, aligned to a page; any bits are an
        // `AtomicU32`, and everybody who has them mapped writes them as such.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: what `open` has mapped, to which nobody has a reference any more. It cannot fail.
        let _ = unsafe { munmap(self.first.as_ptr().cast(), self.count * Self::BYTES) };
    }
}

// SAFETY: the map belongs to the process and not to a thread, and atomics may be shared.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}
