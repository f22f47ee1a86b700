//! What goes wrong, for which requests, and how often.

use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Operation;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this status and code, and does not take place.
    Status(u16, &'static str),
    /// It takes place after so long.
    Delay(Duration),
    /// It takes place, and is answered so all the same.
    LateStatus(u16, &'static str),
    /// It takes place, and the connection breaks before the answer.
    LoseAnswer,
    /// It takes place, and the connection breaks within the answer's body.
    CutBody,
    /// The connection breaks before it takes place.
    LoseRequest,
}

/// A fault, and the requests it strikes.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    operation: Option<Operation>,
    within: String,
    skips: usize,
    times: usize,
    applied: usize,
}

impl Rule {
    /// Strikes every request.
    #[must_use]
    pub fn always(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            within: String::new(),
            skips: 0,
            times: usize::MAX,
            applied: 0,
        }
    }

    /// Only requests for this operation.
    #[must_use]
    pub fn on(self, operation: Operation) -> Self {
        Self { operation: Some(operation), ..self }
    }

    /// Only requests whose path has this in it.
    #[must_use]
    pub fn within(self, path: &str) -> Self {
        Self { within: path.to_owned(), ..self }
    }

    /// Only so many of them.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Only after so many have passed.
    #[must_use]
    pub fn after(self, skips: usize) -> Self {
        Self { skips, ..self }
    }

    fn strikes(&mut self, operation: Operation, path: &str) -> bool {
        let fits = self.operation.is_none_or(|wanted| wanted == operation)
            && path.contains(&self.within)
            && self.applied < self.times;
        if fits && self.skips > 0 {
            self.skips -= 1;
            return false;
        }
        self.applied += usize::from(fits);
        fits
    }
}

#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    pub(super) fn add(&self, rule: Rule) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    pub(super) fn clear(&self) -> Vec<usize> {
        let rules = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        rules.into_iter().map(|rule| rule.applied).collect()
    }

    /// What is to go wrong with this request: of the rules that strike, the first.
    pub(super) fn of(&self, operation: Operation, path: &str) -> Option<Fault> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rules.iter_mut().find_map(|rule| rule.strikes(operation, path).then_some(rule.fault))
    }
}
