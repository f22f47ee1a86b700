//! One question to all: who ran the function, and who was answered.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use crate::show::Screen;
use crate::talk::{Report, Request};
use crate::team::{Heard, Team};
use crate::{PATIENCE, PROCESSES, THREADS};

/// What happened between a question to all and the last answer.
#[derive(Default)]
pub(crate) struct Round {
    /// The process and the thread of each run of the function.
    pub(crate) executions: Vec<(usize, usize)>,
    pub(crate) answers: Vec<Answer>,
}

pub(crate) struct Answer {
    pub(crate) process: usize,
    pub(crate) thread: usize,
    pub(crate) took: Duration,
    pub(crate) text: String,
}

impl Round {
    /// Lets every thread of every process ask at once, and waits for the answers.
    pub(crate) fn of_all(screen: Screen, team: &mut Team) -> io::Result<Self> {
        for process in team.numbers() {
            team.tell(process, &Request::Ask { threads: THREADS })?;
        }
        let mut round = Self::default();
        team.hear(&mut screen.bar(), PATIENCE, |Heard { process, report }| {
            match report {
                Report::Computing { thread } => round.executions.push((process, thread)),
                Report::Answered { thread, took, answer: text } => {
                    round.answers.push(Answer { process, thread, took, text });
                }
                _ => {}
            }
            round.answers.len() == PROCESSES * THREADS
        });
        Ok(round)
    }

    /// Whether everybody got the answer, and the same.
    pub(crate) fn all_answered(&self) -> Result<(), String> {
        let callers = PROCESSES * THREADS;
        let different: BTreeSet<_> = self.answers.iter().map(|answer| &answer.text).collect();
        match (self.answers.len(), different.len()) {
            (count, _) if count != callers => Err(format!("{count} of {callers} were answered")),
            (_, 1) => Ok(()),
            (_, count) => Err(format!("there were {count} different answers")),
        }
    }

    /// The threads of a process that ran the function.
    pub(crate) fn computed_by(&self, process: usize) -> Vec<usize> {
        self.executions.iter().filter(|(by, _)| *by == process).map(|(_, thread)| *thread).collect()
    }

    /// How many threads of a process were answered.
    pub(crate) fn answers_of(&self, process: usize) -> usize {
        self.answers.iter().filter(|answer| answer.process == process).count()
    }

    /// How long the slowest of some threads of a process waited.
    pub(crate) fn slowest(&self, process: usize, of: impl Fn(usize) -> bool) -> Duration {
        let of_process = self.answers.iter().filter(|answer| answer.process == process);
        of_process
            .filter(|answer| of(answer.thread))
            .map(|answer| answer.took)
            .max()
            .unwrap_or_default()
    }
}
