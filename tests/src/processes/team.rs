//! The actors of one test.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::actor::{Actor, Said};
use super::talk::{
    Answer, Call, Callers, Counted, Findings, Report, Request, Scope, Soak, Subject,
};
use super::{Execution, Ground, Heard, SharedInstant};
use crate::watchdog::PATIENCE;

/// How long after a gate is opened its callers go, so that all processes have heard of it.
const RUN_UP: Duration = Duration::from_millis(5);

/// One team of a test program at a time: what is measured of it is worth less beside another.
static ALONE: Mutex<()> = Mutex::new(());

/// Processes that share a cache, numbered from zero. Dropping the team ends them.
#[derive(Debug)]
pub struct Team<'g> {
    ground: &'g Ground,
    program: PathBuf,
    actors: Vec<Actor>,
    incarnations: Vec<usize>,
    reports: Receiver<Said>,
    ear: Sender<Said>,
    heard: Heard,
    gates: u64,
    tallies: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// Callers of one process at a gate.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    process: usize,
    number: u64,
}

impl Gate {
    /// The process whose callers stand here.
    #[must_use]
    pub fn process(self) -> usize {
        self.process
    }
}

impl<'g> Team<'g> {
    /// Starts so many actors; `program` is `env!("CARGO_BIN_EXE_actor")`, known only to tests.
    #[must_use]
    pub fn start(program: &str, ground: &'g Ground, count: usize) -> Self {
        let (ear, reports) = mpsc::channel();
        let mut team = Self {
            ground,
            program: program.into(),
            actors: Vec::new(),
            incarnations: vec![0; count],
            reports,
            ear,
            heard: Heard::default(),
            gates: 0,
            tallies: tempfile::tempdir().expect("a temporary folder can be made"),
            // A test that failed has ended its team all the same.
            _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
        };
        team.actors = (0..count).map(|process| team.actor(process)).collect();
        team
    }

    fn actor(&self, process: usize) -> Actor {
        let who = (process, self.incarnations[process]);
        Actor::start(&self.program, self.ground, self.tallies.path(), who, self.ear.clone())
    }

    /// The numbers of the processes.
    #[must_use]
    pub fn processes(&self) -> Range<usize> {
        0..self.actors.len()
    }

    /// Tells a process what to do.
    pub fn tell(&mut self, process: usize, request: &Request) {
        self.actors[process].tell(request);
    }

    /// Listens until `check` makes something of what has been heard.
    pub fn hear<T>(&mut self, awaited: &str, mut check: impl FnMut(&mut Heard) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = check(&mut self.heard) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(said) = self.reports.recv_timeout(left) else {
                panic!("not heard of within {PATIENCE:?}: {awaited}; heard: {:#?}", self.heard);
            };
            if self.incarnations[said.process] != said.incarnation {
                continue; // last words of one that was killed
            }
            match said.report {
                Some(report) => self.heard.note(said.process, report),
                None => panic!("process {} ended by itself", said.process),
            }
        }
    }

    /// What has been heard so far.
    #[must_use]
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Forgets the executions heard of so far.
    pub fn forget_executions(&mut self) {
        self.heard.executions.clear();
    }

    fn reply<T>(
        &mut self,
        process: usize,
        awaited: &str,
        mut pick: impl FnMut(&Report) -> Option<T>,
    ) -> T {
        let awaited = format!("{awaited} of process {process}");
        self.hear(&awaited, |heard| heard.take(process, &mut pick))
    }

    /// Has callers stand at a gate in each of these processes.
    pub fn gather(
        &mut self,
        processes: impl IntoIterator<Item = usize>,
        callers: &Callers,
    ) -> Vec<Gate> {
        let gates: Vec<_> = processes
            .into_iter()
            .map(|process| {
                self.gates += 1;
                let gate = Gate { process, number: self.gates };
                let callers = callers.clone();
                self.tell(process, &Request::Call { gate: gate.number, callers });
                gate
            })
            .collect();
        for Gate { process, number } in &gates {
            self.reply(*process, "callers at the gate", |report| {
                matches!(report, Report::Ready { gate } if gate == number).then_some(())
            });
        }
        gates
    }

    /// Lets all callers at these gates go at one moment.
    pub fn open(&mut self, gates: &[Gate]) {
        let at = SharedInstant::now().plus(RUN_UP);
        for &Gate { process, number } in gates {
            self.tell(process, &Request::Open { gate: number, at });
        }
    }

    /// Waits until all callers of a gate have their answers.
    pub fn answers(&mut self, gate: Gate) -> Vec<Call> {
        self.reply(gate.process, "the answers of all callers", |report| match report {
            Report::Called { gate: number, calls } if *number == gate.number => Some(calls.clone()),
            _ => None,
        })
    }

    /// Makes callers in these processes, and lets them go.
    pub fn call(
        &mut self,
        processes: impl IntoIterator<Item = usize>,
        callers: &Callers,
    ) -> Vec<Gate> {
        let gates = self.gather(processes, callers);
        self.open(&gates);
        gates
    }

    /// The same, and waits for all answers.
    pub fn ask(
        &mut self,
        processes: impl IntoIterator<Item = usize>,
        callers: &Callers,
    ) -> Vec<Call> {
        let gates = self.call(processes, callers);
        gates.into_iter().flat_map(|gate| self.answers(gate)).collect()
    }

    /// Waits for one more execution about a subject than those that are `known`.
    pub fn next_execution(&mut self, subject: Subject, known: &[u64]) -> Execution {
        self.hear("another execution", |heard| {
            heard.about(subject).into_iter().find(|execution| !known.contains(&execution.id))
        })
    }

    /// The execution that an answer names, which may be heard of later than the answer.
    pub fn execution_of(&mut self, answer: Answer) -> Execution {
        self.hear("the execution that an answer is of", |heard| {
            heard.executions.iter().copied().find(|execution| execution.id == answer.execution)
        })
    }

    /// Lets a held body answer.
    pub fn release(&mut self, execution: Execution) {
        self.tell(execution.process, &Request::Release { execution: execution.id });
    }

    /// What is cached.
    pub fn peek(&mut self, process: usize, subject: Subject) -> Option<Answer> {
        self.tell(process, &Request::Peek(subject));
        self.reply(process, "what is cached", |report| match report {
            Report::Peeked(answer) => Some(*answer),
            _ => None,
        })
    }

    /// Changes the truth and invalidates in a process, and returns when all must have heard of it; when
    /// it was sent and acknowledged.
    pub fn invalidate_everywhere(
        &mut self,
        process: usize,
        scope: Scope,
    ) -> (SharedInstant, SharedInstant) {
        let times = self.invalidate(process, scope);
        thread::sleep(self.ground.push_delay());
        times
    }

    /// Changes the truth and invalidates in a process, and returns when that is acknowledged; when it
    /// was sent and acknowledged.
    pub fn invalidate(&mut self, process: usize, scope: Scope) -> (SharedInstant, SharedInstant) {
        let push_delay = self.ground.push_delay();
        self.tell(process, &Request::Invalidate { scope, push_delay });
        self.reply(process, "the acknowledgement", |report| match report {
            Report::Invalidated { sent, acknowledged } => Some((*sent, *acknowledged)),
            _ => None,
        })
    }

    /// What this process has counted.
    pub fn counted(&mut self, process: usize) -> Counted {
        self.tell(process, &Request::Count);
        self.reply(process, "the counters", |report| match report {
            Report::Counted(counted) => Some(*counted),
            _ => None,
        })
    }

    /// Asks a process what it has counted until that is `enough`.
    pub fn count_until(&mut self, awaited: &str, process: usize, enough: impl Fn(Counted) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !enough(self.counted(process)) {
            assert!(Instant::now() < deadline, "not counted within {PATIENCE:?}: {awaited}");
        }
    }

    /// Starts soaking everywhere.
    pub fn soak(&mut self, soak: Soak) {
        for process in self.processes() {
            let seed = soak.seed.wrapping_add(process as u64);
            self.tell(process, &Request::Soak(Soak { seed, ..soak }));
        }
    }

    /// Stops soaking everywhere; what each process found.
    pub fn halt(&mut self) -> Vec<Findings> {
        for process in self.processes() {
            self.tell(process, &Request::Halt);
        }
        let findings = self.processes().map(|process| {
            self.reply(process, "what soaking found", |report| match report {
                Report::Soaked(findings) => Some(findings.clone()),
                _ => None,
            })
        });
        findings.collect()
    }

    /// Kills a process as the kernel does, without a last word; when.
    pub fn kill(&mut self, process: usize) -> SharedInstant {
        self.incarnations[process] += 1;
        let killed = SharedInstant::now();
        self.actors[process].kill();
        killed
    }

    /// Starts another one in the place of a process that was killed.
    pub fn replace(&mut self, process: usize) {
        self.actors[process] = self.actor(process);
    }

    /// Stops a process, though not within a write: that would stop all writers of the machine.
    pub fn stop(&mut self, process: usize) {
        let deadline = Instant::now() + PATIENCE;
        let other = self.processes().find(|other| *other != process).expect("there are others");
        loop {
            self.actors[process].stop();
            self.tell(other, &Request::Write);
            if self.reply(other, "a write", |report| match report {
                Report::Wrote(done) => Some(*done),
                _ => None,
            }) {
                return;
            }
            assert!(Instant::now() < deadline, "process {process} is always within a write");
            self.resume(process);
        }
    }

    /// Lets a stopped process go on.
    pub fn resume(&mut self, process: usize) {
        self.actors[process].go_on();
    }
}
