//! The child's side: what it is for, and how it speaks with the test.

use std::env;
use std::io::{self, Write as _};
use std::process;

use super::{MARK, ROLE};

/// As what a test runs this process again; `None` if it is the test itself.
#[must_use]
pub fn role() -> Option<String> {
    let role = env::var(ROLE).ok()?;
    die_with_the_test();
    Some(role)
}

/// Has the kernel kill this process when the test dies; for the main thread of a program that is
/// nothing but a child. [`role`] does it by itself.
///
/// Without it a child that is stopped, or never listens, would outlive a test that is killed.
///
/// # Panics
///
/// If the kernel is older than Linux 2.1.
pub fn die_with_the_test() {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .expect("Linux has it since 2.1");
}

/// Says a word to the test.
pub fn say(word: &str) {
    let mut out = io::stdout().lock();
    // The test harness may have printed half a line.
    if writeln!(out, "\n{MARK}{word}").and_then(|()| out.flush()).is_err() {
        process::exit(1); // the test is gone: this process is for nobody
    }
}

/// Waits for the next word of the test; `None` if it wants no more, or is gone.
#[must_use]
pub fn hear() -> Option<String> {
    io::stdin().lines().next()?.ok()
}
