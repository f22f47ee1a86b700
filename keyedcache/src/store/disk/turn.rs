//! Turns: who may write at this moment, of all threads of all processes.
//!
//! LMDB's own lock for writers can neither be tried nor be waited for with an end. So every writer
//! first takes a turn, which can be tried: the mutex of its process, then a word that all processes
//! have mapped. Whoever has a turn finds LMDB's lock free and never waits inside LMDB.
//!
//! - The word is the PID of who has the turn, so taking one and giving it back are no system calls.
//! - Who is killed leaves its PID there. Those who wait find out, and take the turn over: each process
//!   that has an environment open holds a lock on a byte of LMDB's lock file, at its PID, by which LMDB
//!   tells the living. The kernel drops it when the last thread has ended, and no forked child keeps it.
//! - That lock is lost when the process closes *any* file it has opened at that path. So the one that
//!   is opened here must be closed after the environment, and before that can be opened again.
//! - Nothing but who waits where depends on the word: it is LMDB's lock that keeps writers apart.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

use super::cull::Room;
use super::environment::SharedWords;

/// What the file of the word is called.
pub(super) const FILE_NAME: &str = "writer.turn";

/// What stands in the word while nobody has a turn.
const FREE: u32 = 0;
/// Added to what stands there by those who wait. Nobody may try for a turn that is given back to them.
const AWAITED: u32 = 1 << 31;

/// How often those who wait see whether the one who has the turn is alive.
const PROBE_EVERY: Duration = Duration::from_millis(5);

/// Gives turns.
#[derive(Debug)]
pub(super) struct Turns {
    room: Mutex<Room>,
    words: SharedWords,
    /// LMDB's.
    lock_file: File,
    own: u32,
}

/// Maps the word of a folder; the one who has that to itself makes the file.
pub(super) fn map(folder: &Path) -> io::Result<SharedWords> {
    SharedWords::open(&folder.join(FILE_NAME), 1)
}

impl Turns {
    /// In a folder whose environment this process has just opened.
    pub(super) fn open(folder: &Path, room: Room) -> io::Result<Self> {
        let lock_file = File::open(folder.join("lock.mdb"))?;
        let (words, own) = (map(folder)?, std::process::id());
        let turns = Self { room: Mutex::new(room), words, lock_file, own };
        // Left by one that was killed and had the same PID: others take it for this one's.
        for left in [own, own | AWAITED] {
            let (word, order) = (turns.word(), Ordering::AcqRel);
            let _ = word.compare_exchange(left, FREE, order, Ordering::Relaxed);
        }
        Ok(turns)
    }

    fn word(&self) -> &AtomicU32 {
        &self.words[0]
    }

    /// A turn, if nobody has one or waits for one.
    pub(super) fn try_take(&self) -> Option<Turn<'_>> {
        let room = self.room.try_lock()?;
        let order = Ordering::Acquire;
        self.word().compare_exchange(FREE, self.own, order, Ordering::Relaxed).ok()?;
        Some(Turn { room, word: self.word() })
    }

    /// Waits for a turn; without end while a process is stopped in its own.
    pub(super) fn take(&self) -> Turn<'_> {
        let (room, word) = (self.room.lock(), self.word());
        let mut found = word.load(Ordering::Relaxed);
        loop {
            let is_free = !self.is_alive(found & !AWAITED);
            let wanted = if is_free { self.own } else { found | AWAITED };
            match word.compare_exchange(found, wanted, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) if is_free => return Turn { room, word },
                Ok(_) => {
                    wait(word, wanted);
                    found = word.load(Ordering::Relaxed);
                }
                Err(other) => found = other,
            }
        }
    }

    /// Whether this is the PID of another process that has the environment open.
    fn is_alive(&self, pid: u32) -> bool {
        // What stands there for this process was left behind: no other thread has its mutex.
        if pid == FREE || pid == self.own {
            return false;
        }
        let lock = Flock {
            start: pid.into(),
            length: 1,
            pid: None,
            typ: FlockType::WriteLock,
            offset_type: FlockOffsetType::Set,
        };
        !matches!(fcntl_getlk(&self.lock_file, &lock), Ok(None))
    }
}

/// The right to write, given back when dropped; and what is known of the room there is.
pub(super) struct Turn<'t> {
    room: MutexGuard<'t, Room>,
    word: &'t AtomicU32,
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
        // Before the mutex: the next thread of this process must not find its own PID there.
        if self.word.fetch_and(AWAITED, Ordering::Release) & AWAITED != 0 {
            wake(self.word);
        }
    }
}

/// Sleeps while `found` stands there, for a time at most.
#[cfg(target_os = "linux")]
fn wait(word: &AtomicU32, found: u32) {
    use rustix::thread::futex;

    let timeout = PROBE_EVERY.try_into().expect("milliseconds fit");
    // Whatever ends it, the word is looked at again.
    let _ = futex::wait(word, futex::Flags::empty(), found, Some(&timeout));
}

/// Wakes all that sleep: one of them may be of a process that is stopped.
#[cfg(target_os = "linux")]
fn wake(word: &AtomicU32) {
    use rustix::thread::futex;

    let all = i32::MAX.unsigned_abs();
    let _ = futex::wake(word, futex::Flags::empty(), all); // nobody there is as good
}

#[cfg(not(target_os = "linux"))]
fn wait(_: &AtomicU32, _: u32) {
    std::thread::sleep(PROBE_EVERY / 50);
}

#[cfg(not(target_os = "linux"))]
fn wake(_: &AtomicU32) {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Above any PID that Linux gives.
    const NOBODY: u32 = 1 << 30;

    fn turns(folder: &Path) -> Turns {
        std::fs::write(folder.join("lock.mdb"), "").unwrap();
        Turns::open(folder, Room::new(1 << 20, 1 << 21, 4096)).unwrap()
    }

    fn stands(turns: &Turns) -> u32 {
        turns.word().load(Ordering::Relaxed)
    }

    #[test]
    fn a_turn_is_had_by_one_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let turns = turns(folder.path());
        let turn = turns.try_take().unwrap();
        assert_eq!(stands(&turns), std::process::id());
        assert!(turns.try_take().is_none());
        drop(turn);
        assert_eq!(stands(&turns), FREE);
        assert!(turns.try_take().is_some());
    }

    #[test]
    fn a_turn_that_somebody_awaits_is_not_tried_for() {
        let folder = tempfile::tempdir().unwrap();
        let turns = turns(folder.path());
        let turn = turns.try_take().unwrap();
        turns.word().fetch_or(AWAITED, Ordering::Relaxed); // as another process does that waits
        drop(turn);
        assert!(turns.try_take().is_none());
        drop(turns.take());
        assert!(turns.try_take().is_some());
    }

    #[test]
    fn the_turn_of_a_process_that_has_ended_is_taken_over_by_who_waits() {
        let folder = tempfile::tempdir().unwrap();
        let turns = turns(folder.path());
        for left in [NOBODY, NOBODY | AWAITED] {
            turns.word().store(left, Ordering::Relaxed);
            assert!(turns.try_take().is_none());
            drop(turns.take());
            assert!(turns.try_take().is_some());
        }
    }

    #[test]
    fn what_a_process_of_the_same_pid_has_left_is_nobodys_turn() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::process::id();
        for left in [own, own | AWAITED] {
            turns(folder.path()).word().store(left, Ordering::Relaxed);
            assert_eq!(stands(&turns(folder.path())), FREE);
        }
        turns(folder.path()).word().store(NOBODY, Ordering::Relaxed);
        assert_eq!(stands(&turns(folder.path())), NOBODY);
    }
}
