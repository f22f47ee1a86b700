//! Owners: whose process is alive, told by a locked file.
//!
//! Each opening of a store holds an exclusive `flock` on a file of its own in `owners/`, from before
//! it writes its first lease until it ends; the kernel drops it with the process. So an owner whose
//! file can be locked, or is gone, is dead, and its leases are void.
//!
//! - Never probe one's own file: it would look alive anyway, at the cost of three system calls.
//! - A probe takes a *shared* lock, so that probes do not take one another for the owner.
//! - After `fork` a child keeps the lock of its parent; then the lease's time is what is left.

use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::record::random_bytes;

/// Names one opening of a store by one process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct OwnerId(pub(super) [u8; 16]);

impl OwnerId {
    fn file_name(self) -> String {
        self.0.iter().fold(String::with_capacity(32), |mut name, byte| {
            let _ = write!(name, "{byte:02x}"); // writing to a string cannot fail
            name
        })
    }
}

/// Whether a file of this name could be an owner's; all others in the folder are let alone.
fn is_owner(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// This opening's own file and its folder.
#[derive(Debug)]
pub(super) struct Owners {
    folder: PathBuf,
    own: OwnerId,
    /// Holds the lock.
    _file: File,
}

impl Owners {
    /// Removes the dead, and joins the living.
    pub(super) fn join(store: &Path) -> io::Result<Self> {
        let folder = store.join("owners");
        fs::create_dir_all(&folder)?;
        bury(&folder)?;
        loop {
            let own = OwnerId(random_bytes());
            let path = folder.join(own.file_name());
            let file = File::options().write(true).create_new(true).open(path)?;
            file.lock()?;
            // Another's `bury` may have taken it between the two steps.
            if file.metadata()?.nlink() > 0 {
                return Ok(Self { folder, own, _file: file });
            }
        }
    }

    /// Whose leases are this opening's.
    pub(super) fn own(&self) -> OwnerId {
        self.own
    }

    /// Whether an owner may still be alive; a few microseconds.
    ///
    /// What cannot be told (no file descriptor left, say) counts as alive: the lease's time ends it.
    pub(super) fn is_alive(&self, owner: OwnerId) -> bool {
        owner == self.own || is_locked(&self.folder.join(owner.file_name()))
    }

    /// Gives up this opening's leases, all at once.
    pub(super) fn leave(&self) {
        // If it stays, it is unlocked as the file is closed, and the next to join removes it.
        let _ = fs::remove_file(self.folder.join(self.own.file_name()));
    }
}

fn is_locked(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
        },
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Removes the files of those that ended without leaving.
fn bury(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(is_owner) {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else {
            continue;
        };
        if file.try_lock().is_ok() {
            // Gone already is as good.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_alive_until_it_leaves_or_its_lock_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Owners::join(folder.path()).unwrap();
        let second = Owners::join(folder.path()).unwrap();
        let third = Owners::join(folder.path()).unwrap();
        assert!(first.is_alive(second.own()) && first.is_alive(third.own()));
        second.leave();
        assert!(!first.is_alive(second.own()));
        let dead = third.own();
        drop(third);
        assert!(!first.is_alive(dead));
    }

    #[test]
    fn joining_removes_the_dead_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let living = Owners::join(folder.path()).unwrap();
        let dead = Owners::join(folder.path()).unwrap();
        let path = |owner: OwnerId| folder.path().join("owners").join(owner.file_name());
        let (dead_path, foreign) = (path(dead.own()), folder.path().join("owners/notes.txt"));
        drop(dead);
        fs::write(&foreign, "mine").unwrap();
        let _new = Owners::join(folder.path()).unwrap();
        assert!(!dead_path.exists());
        assert!(path(living.own()).exists() && foreign.exists());
    }
}
