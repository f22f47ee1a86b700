//! Another process: started, spoken to in words, stopped, and killed.
//!
//! A child is a program of `src/bin`, or the test's own program run again for one test, which finds
//! by its [`role`] that it is the child. Both sides [`say`] and [`hear`] words, a line each, over
//! pipes; whatever else a child prints is none.
//!
//! - No child outlives its test: dropped, as by a panic, a [`Child`] is killed and collected; if the
//!   test itself is killed, the kernel kills its children ([`die_with_the_test`]).
//! - Nothing waits for longer than [`PATIENCE`]: what hangs fails the test.
//! - A child has its default cache from whoever starts it, never from the environment of the test.

mod inside;
mod parent;
mod process;

use std::env;
use std::ffi::OsStr;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};

use crate::watchdog::PATIENCE;

pub use inside::{die_with_the_test, hear, role, say};
pub(crate) use process::Process;

/// The environment variable that tells a child its role.
const ROLE: &str = "KEYEDCACHE_TESTS_ROLE";

/// What words begin with, to tell them from what the test harness prints.
const MARK: &str = "@@ ";

/// A process that a test speaks with. Dropped, it is killed.
#[derive(Debug)]
pub struct Child {
    process: Process,
    words: Receiver<String>,
}

impl Child {
    /// Starts a program with arguments.
    #[must_use]
    pub fn start<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::run(command, &[])
    }

    /// Runs this program again for the test called `test`, in a role, with the default cache that the
    /// URL says.
    #[must_use]
    pub fn in_role(test: &str, role: &str, url: &str) -> Self {
        Self::in_role_with(test, role, &[("KEYEDCACHE_URL", url)])
    }

    /// The same with these variables in its environment, and no other cache than they say.
    #[must_use]
    pub fn in_role_with(test: &str, role: &str, environment: &[(&str, &str)]) -> Self {
        let program = env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args(["--exact", test, "--nocapture"]).env(ROLE, role);
        Self::run(command, environment)
    }

    fn run(command: Command, environment: &[(&str, &str)]) -> Self {
        let (tell, words) = mpsc::channel();
        let mut tell = Some(tell);
        let ear = move |word| match word {
            // Fails when the test listens no more, and then nobody misses it.
            Some(word) => drop(tell.as_ref().map(|tell| tell.send(word))),
            None => tell = None,
        };
        Self { process: Process::start(command, environment.iter().copied(), ear), words }
    }

    /// Says a word to it.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn say(&mut self, word: &str) {
        self.process.say(word);
    }

    /// Waits for its next word; `None` at its end.
    ///
    /// # Panics
    ///
    /// If it says nothing for [`PATIENCE`].
    #[must_use]
    pub fn hear(&self) -> Option<String> {
        match self.words.recv_timeout(PATIENCE) {
            Ok(word) => Some(word),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it said nothing for {PATIENCE:?}"),
        }
    }

    /// Waits until it says this.
    ///
    /// # Panics
    ///
    /// If it says something else, ends, or says nothing for [`PATIENCE`].
    pub fn expect(&self, word: &str) {
        assert_eq!(self.hear().as_deref(), Some(word));
    }

    /// Stops it where it is, and returns when it has stopped.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Lets it go on.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn go_on(&mut self) {
        self.process.go_on();
    }

    /// Kills it as the kernel does, and returns when it is dead; what it said before can still be
    /// heard.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Tells it that there is no more to hear, and waits for its end.
    ///
    /// # Panics
    ///
    /// If it does not end within [`PATIENCE`].
    #[allow(clippy::must_use_candidate)] // that it ends may be all that is asked
    pub fn end(self) -> ExitStatus {
        self.process.end()
    }

    /// The same for one that is to end well.
    ///
    /// # Panics
    ///
    /// If it does not within [`PATIENCE`], or fails.
    pub fn finish(self) {
        let status = self.end();
        assert!(status.success(), "{status}");
    }
}
