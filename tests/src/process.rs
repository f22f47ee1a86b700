//! Processes of a test: the test's own program, run again for this one test, which then finds that
//! it is one of them.
//!
//! They say words on lines, over pipes, and hear them on their standard input.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::watchdog::PATIENCE;

const ROLE: &str = "KEYEDCACHE_TESTS_ROLE";

/// What words begin with, to tell them from what the test harness prints.
const MARK: &str = "@@ ";

/// As what a test runs this process; `None` if it is the test itself.
#[must_use]
pub fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// Says something to the test.
pub fn say(word: &str) {
    let mut out = io::stdout().lock();
    // Only fails when nobody listens any more, and then there is nobody to tell.
    let _ = writeln!(out, "\n{MARK}{word}").and_then(|()| out.flush());
}

/// Waits for what the test says; `None` if it has ended.
#[must_use]
pub fn hear() -> Option<String> {
    let line = io::stdin().lines().next()?.ok()?;
    Some(line)
}

/// One process. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    words: Receiver<String>,
}

impl Process {
    /// Runs this program again for the test called `test`, in a role, with the default cache that
    /// the URL says.
    ///
    /// # Panics
    ///
    /// If the operating system gives no process.
    #[must_use]
    pub fn start(test: &str, role: &str, url: &str) -> Self {
        Self::start_in(test, role, &[("KEYEDCACHE_URL", url)])
    }

    /// The same, with these variables in its environment.
    ///
    /// # Panics
    ///
    /// If the operating system gives no process.
    #[must_use]
    pub fn start_in(test: &str, role: &str, environment: &[(&str, &str)]) -> Self {
        let program = env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args(["--exact", test, "--nocapture"])
            .env(ROLE, role)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (tell, words) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(word) = line.strip_prefix(MARK)
                    && tell.send(word.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        Self { child, words }
    }

    /// Says something to it.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn tell(&mut self, word: &str) {
        let input = self.child.stdin.as_mut().expect("it is piped");
        writeln!(input, "{word}").and_then(|()| input.flush()).expect("it listens");
    }

    /// Waits until it says something.
    ///
    /// # Panics
    ///
    /// If it ends or says nothing for [`PATIENCE`].
    #[must_use]
    pub fn hear(&self) -> String {
        self.words.recv_timeout(PATIENCE).expect("it says something")
    }

    /// Waits until it says this.
    ///
    /// # Panics
    ///
    /// If it says something else, or nothing.
    pub fn expect(&self, word: &str) {
        assert_eq!(self.hear(), word);
    }

    /// Waits until it has ended well.
    ///
    /// # Panics
    ///
    /// If it does not within [`PATIENCE`], or fails.
    pub fn finish(mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(1));
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill, only to collect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
