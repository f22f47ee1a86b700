//! Callers that ask the same few questions over and over, and judge each answer by what had been
//! acknowledged before they asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use keyedcache_tests::dice::Dice;
use keyedcache_tests::processes::talk::{Answer, Call, Findings, Soak, Surface, Violation, Work};
use keyedcache_tests::processes::{SharedInstant, Tally};

use crate::RUNTIME;
use crate::answers::{ask, ask_async, peek};

/// So many violations are told; all others are alike.
const TOLD: usize = 3;

/// Callers at work.
pub(crate) struct Soaking {
    halt: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Findings>>,
}

/// Starts them.
pub(crate) fn start(soak: Soak) -> Soaking {
    let mut dice = Dice::of(soak.seed);
    let halt = Arc::<AtomicBool>::default();
    let callers = Surface::ALL.into_iter().flat_map(|surface| (0..soak.each).map(move |_| surface));
    let callers = callers
        .map(|surface| {
            let caller = Caller::new(surface, soak.keys, Dice::of(dice.seed()));
            let halt = Arc::clone(&halt);
            if surface.is_async() {
                let task = RUNTIME.spawn(async move { caller.soak_async(&halt).await });
                thread::spawn(|| RUNTIME.block_on(task).expect("no panic"))
            } else {
                thread::spawn(move || caller.soak(&halt))
            }
        })
        .collect();
    Soaking { halt, callers }
}

impl Soaking {
    /// Waits until each has its last answer; what all found.
    pub(crate) fn halt(self) -> Findings {
        self.halt.store(true, Ordering::Release);
        let mut all = Findings::default();
        for caller in self.callers {
            let found = caller.join().expect("no panic");
            all.answers += found.answers;
            all.longest = all.longest.max(found.longest);
            all.violations.extend(found.violations);
        }
        all.violations.truncate(TOLD);
        all
    }
}

struct Caller {
    surface: Surface,
    keys: u64,
    dice: Dice,
    findings: Findings,
}

/// One question, and what was known when it was asked.
struct Question {
    key: u64,
    peeks: bool,
    work: Work,
    acknowledged: u64,
    began: SharedInstant,
}

impl Caller {
    fn new(surface: Surface, keys: u64, dice: Dice) -> Self {
        Self { surface, keys, dice, findings: Findings::default() }
    }

    fn soak(mut self, halt: &AtomicBool) -> Findings {
        while !halt.load(Ordering::Acquire) {
            let question = self.question();
            let answer = if question.peeks {
                peek(self.surface.subject(question.key))
            } else {
                Some(ask(self.surface, question.key, question.work))
            };
            self.judge(&question, answer);
            thread::sleep(self.dice.micros(0..=3_000));
        }
        self.findings
    }

    async fn soak_async(mut self, halt: &AtomicBool) -> Findings {
        while !halt.load(Ordering::Acquire) {
            let question = self.question();
            let answer = if question.peeks {
                peek(self.surface.subject(question.key))
            } else {
                Some(ask_async(self.surface, question.key, question.work).await)
            };
            self.judge(&question, answer);
            tokio::time::sleep(self.dice.micros(0..=3_000)).await;
        }
        self.findings
    }

    fn question(&mut self) -> Question {
        let key = self.dice.below(self.keys);
        Question {
            key,
            peeks: self.dice.one_in(8),
            work: Work::Takes(self.dice.micros(1_000..=10_000)),
            // Last: whatever is acknowledged by now must be heeded.
            acknowledged: Tally::acknowledged(self.surface.subject(key)).now(),
            began: SharedInstant::now(),
        }
    }

    fn judge(&mut self, question: &Question, answer: Option<Answer>) {
        let Some(answer) = answer else { return };
        let call = Call { answer, began: question.began, ended: SharedInstant::now() };
        let findings = &mut self.findings;
        findings.answers += 1;
        findings.longest = findings.longest.max(call.ended.since(call.began));
        if answer.truth < question.acknowledged && findings.violations.len() < TOLD {
            findings.violations.push(Violation {
                surface: self.surface,
                peeked: question.peeks,
                acknowledged: question.acknowledged,
                call,
            });
        }
    }
}
