//! What a test has heard of its actors so far.

use super::SharedInstant;
use super::talk::{Report, Subject};

/// One run of a body.
#[derive(Clone, Copy, Debug)]
pub struct Execution {
    /// Where.
    pub process: usize,
    /// Its number.
    pub id: u64,
    /// What it is about.
    pub subject: Subject,
    /// When it began.
    pub began: SharedInstant,
    /// When it ended, if it has.
    pub ended: Option<SharedInstant>,
}

/// The executions, and what else has been said and not been taken yet.
#[derive(Debug, Default)]
pub struct Heard {
    /// All executions, in the order in which they were heard of.
    pub executions: Vec<Execution>,
    reports: Vec<(usize, Report)>,
}

impl Heard {
    pub(super) fn note(&mut self, process: usize, report: Report) {
        match report {
            Report::Failed(what) => panic!("process {process}: {what}"),
            Report::Began { execution, subject, at } => {
                let (id, began) = (execution, at);
                self.executions.push(Execution { process, id, subject, began, ended: None });
            }
            Report::Ended { execution, at } => {
                let known = self.executions.iter_mut().rev().find(|known| known.id == execution);
                known.expect("what ends has begun").ended = Some(at);
            }
            report => self.reports.push((process, report)),
        }
    }

    /// The executions about a subject.
    #[must_use]
    pub fn about(&self, subject: Subject) -> Vec<Execution> {
        self.executions.iter().copied().filter(|known| known.subject == subject).collect()
    }

    /// Takes the first report of a process of which `pick` makes something.
    pub fn take<T>(
        &mut self,
        process: usize,
        mut pick: impl FnMut(&Report) -> Option<T>,
    ) -> Option<T> {
        let mut places = self.reports.iter().enumerate().filter(|(_, (by, _))| *by == process);
        let (place, picked) =
            places.find_map(|(place, (_, report))| Some((place, pick(report)?)))?;
        self.reports.remove(place);
        Some(picked)
    }
}
