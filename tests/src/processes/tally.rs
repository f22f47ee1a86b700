//! Numbers that processes share without the cache under test.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::talk::Subject;

/// A number that only grows, and that all processes see grow at once: the length of a file.
///
/// Appending a byte and asking for the length are each one atomic system call.
#[derive(Clone, Debug)]
pub struct Tally(PathBuf);

impl Tally {
    /// The environment variable that tells an actor where tallies are kept.
    pub const FOLDER: &str = "KEYEDCACHE_TESTS_FOLDER";

    /// The truth about a subject: what its bodies read as they begin.
    #[must_use]
    pub fn truth(subject: Subject) -> Self {
        Self::of("truth", subject)
    }

    /// How much of the truth about a subject has been told to the cache, by an invalidation that is
    /// acknowledged.
    #[must_use]
    pub fn acknowledged(subject: Subject) -> Self {
        Self::of("acknowledged", subject)
    }

    fn of(what: &str, Subject { family, key }: Subject) -> Self {
        let folder = std::env::var_os(Self::FOLDER).expect("the team tells its actors the folder");
        Self(PathBuf::from(folder).join(format!("{what}-{family:?}-{key}")))
    }

    /// Adds one.
    pub fn grow(&self) {
        let file = fs::File::options().append(true).create(true).open(&self.0);
        file.and_then(|mut file| file.write_all(b"+")).expect("the folder can be written");
    }

    /// The number; zero at first.
    #[must_use]
    pub fn now(&self) -> u64 {
        fs::metadata(&self.0).map_or(0, |about| about.len())
    }
}
