//! Turns: who may write at this moment, of all threads of all processes.
//!
//! LMDB's own lock for writers can neither be tried nor be waited for with an end. So every writer
//! first takes a turn, which can be tried: the mutex of its process, then a lock on `writer.lock`.
//! Whoever has a turn finds LMDB's lock free and never waits inside LMDB.
//!
//! - The file's lock belongs to the process (`fcntl`, not `flock`): the kernel drops it when that
//!   is killed, and no forked child keeps it.
//! - Such a lock is lost when the process closes *any* file it has opened at that path, so nothing
//!   else here opens it.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use parking_lot::{Mutex, MutexGuard};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::cull::Room;

/// What the file is called.
const FILE_NAME: &str = "writer.lock";

/// Gives turns.
pub(super) struct Turns {
    room: Mutex<Room>,
    file: File,
}

impl Turns {
    pub(super) fn open(folder: &Path, room: Room) -> io::Result<Self> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(folder.join(FILE_NAME))?;
        Ok(Self { room: Mutex::new(room), file })
    }

    /// A turn, if nobody has one.
    pub(super) fn try_take(&self) -> Option<Turn<'_>> {
        let room = self.room.try_lock()?;
        fcntl_lock(&self.file, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Turn { room, file: &self.file })
    }

    /// Waits for a turn; without end while a process is stopped in its own.
    pub(super) fn take(&self) -> Result<Turn<'_>, Errno> {
        let room = self.room.lock();
        loop {
            match fcntl_lock(&self.file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Turn { room, file: &self.file }),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The right to write, given back when dropped; and what is known of the room there is.
pub(super) struct Turn<'t> {
    room: MutexGuard<'t, Room>,
    file: &'t File,
}

impl Deref for Turn<'_> {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.room
    }
}

impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut Room {
        &mut self.room
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Before the mutex: the next thread of this process must not find the file locked by it.
        // Unlocking what one has locked cannot fail.
        let _ = fcntl_lock(self.file, FlockOperation::Unlock);
    }
}
