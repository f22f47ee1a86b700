//! What the operating system and LMDB say, in this crate's words: kind, folder, and what to do.

use std::io;
use std::path::Path;

use heed::MdbError;

use crate::error::{Error, ErrorKind};

/// `ENOSPC`, which LMDB hands on as it came.
const NO_SPACE: i32 = 28;
/// `EIO`.
const IO_ERROR: i32 = 5;
/// `EDQUOT`.
const OVER_QUOTA: i32 = 122;
/// `EIO`, which is what LMDB makes of a write that was cut short, as the last one is that fits.
const CUT_SHORT: i32 = 5;

/// An error of the operating system in `operation` on the folder.
pub(super) fn from_io(
    operation: &'static str,
    what: &'static str,
    folder: &Path,
    error: io::Error,
) -> Error {
    Error::new(kind_of(&error), operation, what)
        .with("folder", folder.display())
        .with("because", &error)
        .with_source(error)
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.raw_os_error() {
        Some(NO_SPACE | OVER_QUOTA | CUT_SHORT) => ErrorKind::Full,
        _ => ErrorKind::Unavailable,
    }
}

/// Whether more room would have helped: in the map, or on the disk.
pub(super) fn is_full(error: &heed::Error, folder: &Path) -> bool {
    match error {
        // So LMDB says that a write was cut short, as it is where the room ends in its midst.
        heed::Error::Io(error) if error.raw_os_error() == Some(IO_ERROR) => is_out_of_room(folder),
        heed::Error::Io(error) => kind_of(error) == ErrorKind::Full,
        heed::Error::Mdb(MdbError::MapFull | MdbError::TxnFull) => true,
        heed::Error::Mdb(MdbError::Other(code)) => {
            matches!(*code, NO_SPACE | OVER_QUOTA | CUT_SHORT)
        }
        _ => false,
    }
}

/// Whether the file system has next to nothing left.
fn is_out_of_room(folder: &Path) -> bool {
    const NEXT_TO_NOTHING: u64 = 1 << 20;
    rustix::fs::statvfs(folder)
        .is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) < NEXT_TO_NOTHING)
}

/// Whether it says that what is stored cannot be read.
pub(super) fn is_damage(error: &heed::Error) -> bool {
    use MdbError::{BadTxn, Corrupted, Invalid, PageNotFound, Panic, VersionMismatch};
    matches!(
        error,
        heed::Error::Mdb(Corrupted | PageNotFound | Panic | Invalid | VersionMismatch | BadTxn)
    )
}

/// An error of LMDB in `operation` on the folder.
pub(super) fn from_heed(operation: &'static str, folder: &Path, error: heed::Error) -> Error {
    let (kind, what) = match &error {
        error if is_full(error, folder) => (
            ErrorKind::Full,
            "there is no room left; raise the size limit, free the disk, or end what reads for \
             minutes at a time",
        ),
        error if is_damage(error) => (
            ErrorKind::Unavailable,
            "what is stored is damaged; the folder is emptied as soon as all processes that use it \
             have ended and one opens it again",
        ),
        heed::Error::Mdb(MdbError::ReadersFull) => (
            ErrorKind::Unavailable,
            "more threads read at one time than the folder has places for; use fewer threads",
        ),
        heed::Error::Mdb(MdbError::MapResized) => (
            ErrorKind::Unavailable,
            "another process has opened the folder with a larger map; open it anew",
        ),
        _ => (ErrorKind::Unavailable, "the environment cannot be used"),
    };
    Error::new(kind, operation, what)
        .with("folder", folder.display())
        .with("because", &error)
        .with_source(error)
}
