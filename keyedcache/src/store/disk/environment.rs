//! Opens the LMDB environment: the one place of the crate with unsafe code.
//!
//! Flags: `NO_SYNC` and `NO_META_SYNC`, since a cache need not outlive a power failure: a folder
//! that was open when its machine stopped is emptied at the next opening (`folder.rs`). Not
//! `WRITE_MAP`: the map stays read-only, pages are written with `pwrite` before the meta page that
//! names them, so a process killed at any moment leaves the last committed transaction, a full disk
//! is an error and not a `SIGBUS`, and no stray pointer can damage the file. The lock file is mapped
//! to be written to, so it must have all its room before ([`reserve`]).

use std::fs::File;
use std::io;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions};

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
#[allow(unsafe_code)]
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
