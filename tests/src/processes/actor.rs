//! One actor, as the test sees it: a child process, its pipes, and signals.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::talk::{Report, Request};
use super::{Ground, Tally};

/// A running actor. Dropped, it is killed and collected, stopped or not.
#[derive(Debug)]
pub(super) struct Actor(Child);

/// A line from an actor, or its end.
pub(super) struct Said {
    /// The place of the actor in its team.
    pub(super) process: usize,
    /// Which of those that have had that place.
    pub(super) incarnation: usize,
    /// `None` at its end.
    pub(super) report: Option<Report>,
}

impl Actor {
    pub(super) fn start(
        program: &Path,
        ground: &Ground,
        tallies: &Path,
        (process, incarnation): (usize, usize),
        ear: Sender<Said>,
    ) -> Self {
        let mut child = Command::new(program)
            .env("KEYEDCACHE_URL", ground.url())
            .env_remove("KEYEDCACHE_CONFIG")
            .env(Tally::FOLDER, tallies)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the actor starts");
        let output = child.stdout.take().expect("its output is piped");
        thread::spawn(move || {
            // A line that its death cut off is no report.
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            let reports = lines.filter_map(|line| serde_json::from_str(&line).ok());
            for report in reports.map(Some).chain([None]) {
                if ear.send(Said { process, incarnation, report }).is_err() {
                    return; // the team is gone
                }
            }
        });
        Self(child)
    }

    pub(super) fn tell(&mut self, request: &Request) {
        let line = serde_json::to_string(request).expect("requests are plain data");
        let input = self.0.stdin.as_mut().expect("its input is piped");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("the actor is alive");
    }

    pub(super) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("a child has a process id"), signal).expect("it is our child");
    }

    /// Whether it runs no more, as after SIGSTOP.
    pub(super) fn is_stopped(&self) -> bool {
        let about = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()));
        let about = about.expect("it is our child");
        // The name, in brackets, may hold anything.
        about.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill, only to collect.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
