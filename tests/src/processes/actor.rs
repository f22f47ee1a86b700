//! One actor, as the test sees it: a child that reports to its team.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc::Sender;

use super::talk::{Report, Request};
use super::{Ground, Tally};
use crate::child::Process;

/// A running actor. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Actor(Process);

/// A report of an actor, or its end.
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
        team: Sender<Said>,
    ) -> Self {
        let ear = move |word: Option<String>| {
            let parse = |word: String| serde_json::from_str(&word).expect("actors say reports");
            // Fails when the team is gone, and then nobody misses it.
            let _ = team.send(Said { process, incarnation, report: word.map(parse) });
        };
        let environment = [("KEYEDCACHE_URL", ground.url())];
        let mut command = Command::new(program);
        command.env(Tally::FOLDER, tallies);
        Self(Process::start(command, environment, ear))
    }

    pub(super) fn tell(&mut self, request: &Request) {
        self.0.say(&serde_json::to_string(request).expect("requests are plain data"));
    }

    /// Stops it where it is, and returns when it has stopped.
    pub(super) fn stop(&mut self) {
        self.0.stop();
    }

    pub(super) fn go_on(&mut self) {
        self.0.go_on();
    }

    pub(super) fn kill(&mut self) {
        self.0.kill();
    }
}
