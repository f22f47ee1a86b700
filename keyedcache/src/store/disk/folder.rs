//! The folder: who may open it, and in which state it must be before LMDB maps it.
//!
//! ```text
//! keyedcache.meta   the marker (marker.rs); locked shared by every opening, exclusively to change it
//! data.mdb lock.mdb LMDB's
//! log.tail          what the tree has not taken in yet (tail.rs)
//! writer.turn       who writes (turn.rs)
//! owners/           a locked file for each opening (owner.rs)
//! ```
//!
//! Anything else in the folder is let alone, whatever happens. Whoever gets the exclusive lock knows
//! that nobody else has the folder open, and only then may it be emptied, its map be given another
//! size, or another PID namespace move in.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use heed::Env;

use super::environment::{self, Tree};
use super::fault;
use super::marker::{self, Found, Marker, State};
use super::owner::Owners;
use super::registry::Place;
use super::tail::{self, Tail};
use super::turn;
use crate::error::{Error, ErrorKind};

/// How long an opening waits for others that are opening or closing the folder at this moment.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(5);

/// A folder that this opening may use.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    marker: Marker,
    /// Holds the shared lock.
    file: File,
    _place: Place,
}

/// A folder, and what has been opened in it.
pub(super) struct Opened {
    pub(super) env: Env,
    pub(super) tree: Tree,
    pub(super) tail: Tail,
    pub(super) owners: Owners,
    pub(super) folder: Folder,
}

impl Folder {
    /// Opens the store in the folder at `path`, which is made if there is none.
    pub(super) fn open(path: &Path, size_limit: u64) -> Result<Opened, Error> {
        let failed =
            |what: &'static str| move |error: io::Error| fault::from_io("open", what, path, error);
        fs::create_dir_all(path).map_err(failed("the folder cannot be made"))?;
        refuse_network(path)?;
        let place = Place::take(path).map_err(failed("the folder cannot be read"))?;
        let place = place.ok_or_else(|| already_open(path))?;
        let marker_path = path.join(marker::FILE_NAME);
        let is_new = !marker_path.exists();
        if is_new && path.join("data.mdb").exists() {
            let message = "the folder holds an LMDB environment that is not keyedcache's; \
                           give the store a folder of its own";
            return Err(refusal(ErrorKind::Config, message, path));
        }
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(marker_path)
            .map_err(failed("the folder cannot be written; make it writable"))?;
        let until = Instant::now() + CLAIM_TIMEOUT;
        loop {
            if claim_alone(path, &file, size_limit)? {
                // Not turned into a shared lock: the kernel may let another in between, so what is
                // found under the shared lock is judged on its own.
                file.unlock().map_err(failed("the marker cannot be unlocked"))?;
            }
            if let Some(marker) = claim_shared(path, &file)? {
                return Self::enter(path, marker, file, place);
            }
            if Instant::now() >= until {
                let message = "another process has been opening or closing the folder for seconds; \
                               try again, or end that process if it is stopped";
                return Err(refusal(ErrorKind::Unavailable, message, path));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn enter(path: &Path, marker: Marker, file: File, place: Place) -> Result<Opened, Error> {
        let (env, tree) = map(path, &marker)?;
        let tail = Tail::open(path)
            .map_err(|error| fault::from_io("open", "log.tail cannot be used", path, error))?;
        let owners = Owners::join(path)
            .map_err(|error| fault::from_io("open", "owners/ cannot be used", path, error))?;
        let path = path.to_owned();
        let folder = Self { path, marker, file, _place: place };
        Ok(Opened { env, tree, tail, owners, folder })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes the store is to keep; what the first of those that have it open asked for.
    pub(super) fn size_limit(&self) -> u64 {
        self.marker.size_limit
    }

    /// How many bytes its map has.
    pub(super) fn map_size(&self) -> u64 {
        self.marker.map_size
    }

    /// Whether the marker is still in a folder; if not, others no longer see what is done here.
    pub(super) fn is_there(&self) -> bool {
        self.file.metadata().is_ok_and(|found| found.nlink() > 0)
    }

    /// Has the folder emptied by the next opening that finds itself alone.
    pub(super) fn mark_damaged(&self) {
        self.mark(State::Damaged);
    }

    fn mark(&self, state: State) {
        let marker = Marker { state, ..self.marker.clone() };
        // Without the mark the next opening finds the damage itself, or empties needlessly.
        let _ = marker.write(&self.file);
    }

    /// Marks the folder clean if nobody else has it open, after `sync` has put all on the disk.
    pub(super) fn close(&self, sync: impl FnOnce() -> bool) {
        let left_open = || matches!(Marker::read(&self.file), Ok(Found::Marker(found)) if found.state == State::Open);
        let is_alone = self.file.unlock().is_ok() && self.file.try_lock().is_ok();
        if is_alone && self.is_there() && left_open() && sync() {
            self.mark(State::Clean);
        }
    }
}

/// Opens the environment; what is damaged is marked so.
fn map(path: &Path, marker: &Marker) -> Result<(Env, Tree), Error> {
    let size = usize::try_from(marker.map_size).unwrap_or(usize::MAX >> 12 << 12);
    environment::reserve(path).map_err(|error| {
        fault::from_io("open", "lock.mdb cannot be given its room", path, error)
    })?;
    environment::open(path, size).map_err(|error| match error {
        heed::Error::EnvAlreadyOpened => already_open(path),
        error => fault::from_heed("open", path, error),
    })
}

/// With the folder to itself, brings it into the state in which it can be opened.
///
/// `false` if others have it open. The exclusive lock is held when this returns `true`.
fn claim_alone(path: &Path, file: &File, size_limit: u64) -> Result<bool, Error> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => {
            return Err(fault::from_io("open", "the marker cannot be locked", path, error));
        }
    }
    let boot = boot_id();
    let failed = |error| fault::from_io("open", "the folder cannot be prepared", path, error);
    let is_whole = match read_marker(path, file)? {
        None => false,
        Some(left) => match left.state {
            State::Open => left.boot == boot,
            State::Clean => true,
            State::Damaged => false,
        },
    };
    if !is_whole {
        empty(path).map_err(failed)?;
    }
    let mut marker = Marker {
        boot,
        pid_namespace: pid_namespace(),
        size_limit,
        map_size: map_size(path, size_limit),
        state: State::Open,
    };
    marker.write(file).map_err(failed)?;
    if is_whole && !is_sound(path, &marker) {
        empty(path).map_err(failed)?;
        marker.map_size = map_size(path, size_limit);
        marker.write(file).map_err(failed)?;
    }
    make_shared(path).map_err(failed)?;
    Ok(true)
}

/// Makes the files that processes share words of, where there are none.
fn make_shared(path: &Path) -> io::Result<()> {
    Tail::open(path)?;
    turn::map(path)?;
    Ok(())
}

/// Joins those that have the folder open; `None` if it is not in the state for it yet.
fn claim_shared(path: &Path, file: &File) -> Result<Option<Marker>, Error> {
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => {
            return Err(fault::from_io("open", "the marker cannot be locked", path, error));
        }
    }
    let ready = read_marker(path, file)?
        .filter(|marker| marker.state == State::Open && marker.boot == boot_id());
    let Some(marker) = ready else {
        // Closed between the two steps; or damaged, and then whoever has it open must go first.
        let _ = file.unlock();
        return Ok(None);
    };
    if marker.pid_namespace != pid_namespace() {
        let message = "processes of another PID namespace have the folder open, and LMDB tells the \
                       living by their PIDs; share one PID namespace, or give each its own folder";
        return Err(refusal(ErrorKind::Unavailable, message, path)
            .with("theirs", marker.pid_namespace)
            .with("ours", pid_namespace()));
    }
    Ok(Some(marker))
}

fn read_marker(path: &Path, file: &File) -> Result<Option<Marker>, Error> {
    let found = Marker::read(file)
        .map_err(|error| fault::from_io("open", "the marker cannot be read", path, error))?;
    match found {
        Found::Marker(marker) => Ok(Some(marker)),
        Found::Nothing => Ok(None),
        Found::Format(format) => {
            let message = "the folder was written by another version of keyedcache, in a format \
                           that this one does not know; use another folder, or remove this one";
            Err(refusal(ErrorKind::Config, message, path)
                .with("format", format)
                .with("known", marker::FORMAT))
        }
        Found::Foreign => {
            let message = "keyedcache.meta in the folder is not keyedcache's; \
                           give the store a folder of its own";
            Err(refusal(ErrorKind::Config, message, path))
        }
    }
}

/// Whether LMDB can open what is there, and the end of the log is. Called with the folder to itself.
fn is_sound(path: &Path, marker: &Marker) -> bool {
    let Ok((env, _)) = map(path, marker) else {
        return false;
    };
    // Pages that were freed before they were written may lie past the end of the file, where touching
    // the map would be a `SIGBUS`; a file that was cut off is longer then, and reads as damaged.
    let pages = env.info().last_page_number as u64 + 1;
    let page = u64::from(env.unnamed_database_stat().page_size);
    let grow = || -> heed::Result<()> {
        let file = env.try_clone_inner_file()?;
        if file.metadata()?.len() < pages * page {
            file.set_len(pages * page)?;
        }
        env.clear_stale_readers()?;
        Ok(())
    };
    let has_tail = || -> io::Result<bool> {
        let (tail, last) = (Tail::open(path)?, env.info().last_txn_id as u64);
        let Some(end) = tail.end_after(last) else { return Ok(false) };
        Ok(tail.read(end.settled + 1, last).is_some())
    };
    grow().is_ok() && has_tail().unwrap_or(false)
}

/// Removes what this crate stored, and nothing else.
fn empty(path: &Path) -> io::Result<()> {
    for name in ["data.mdb", "lock.mdb", tail::FILE_NAME, turn::FILE_NAME] {
        match fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The limit and a quarter more, kept for deletions, since they too need room; never less than what
/// is there already.
fn map_size(path: &Path, size_limit: u64) -> u64 {
    const PAGE: u64 = 1 << 16; // a multiple of every page size in use
    let there = fs::metadata(path.join("data.mdb")).map_or(0, |found| found.len());
    let quarter = (size_limit / 4).max(1 << 20);
    let size = size_limit.max(there).saturating_add(quarter);
    size.div_ceil(PAGE) * PAGE
}

fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

fn pid_namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().into_owned()
}

fn already_open(path: &Path) -> Error {
    let message = "this process has the folder open already; share the store that is open, or drop \
                   it first";
    refusal(ErrorKind::Config, message, path)
}

fn refusal(kind: ErrorKind, message: &'static str, path: &Path) -> Error {
    Error::new(kind, "open", message).with("folder", path.display())
}

/// Refuses file systems on which a shared map or its locks are not shared by all who see the files.
///
/// FUSE is among them: it is what `sshfs`, `s3fs` and their like are, and cannot be told from those
/// few that are local.
fn refuse_network(path: &Path) -> Result<(), Error> {
    #[cfg(target_os = "linux")]
    {
        const NETWORK: [(u32, &str); 11] = [
            (0x0000_6969, "nfs"),
            (0x0000_517b, "smb"),
            (0xff53_4d42, "cifs"),
            (0xfe53_4d42, "smb2"),
            (0x0102_1997, "9p"),
            (0x00c3_6400, "ceph"),
            (0x5346_414f, "afs"),
            (0x7375_7245, "coda"),
            (0x0bd0_0bd0, "lustre"),
            (0x4750_4653, "gpfs"),
            (0x6573_5546, "fuse"),
        ];
        let found = rustix::fs::statfs(path).map_err(|error| {
            fault::from_io("open", "the folder cannot be read", path, error.into())
        })?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // magic numbers have 32 bits
        let kind = found.f_type as u32;
        if let Some((_, name)) = NETWORK.iter().find(|(magic, _)| *magic == kind) {
            let message = "the folder lies on a file system whose locks and memory maps are not \
                           shared by all who see it; use a local disk";
            return Err(refusal(ErrorKind::Config, message, path).with("file system", name));
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = path;
    Ok(())
}
