//! How long one call waits, and what it does when that is over.
//!
//! - `wait` is for others' computations: past it, the call computes by itself.
//! - `soft_timeout` and `hard_timeout` are for computations whoever runs them, from when the call
//!   began: past the first an older answer is served if there is one, past the second the call gives
//!   up. The computation goes on.

use std::time::{Duration, Instant};

use crate::flight::{self, Shared};
use crate::policy::Policy;
use crate::runtime;

use super::plan::{Begin, Call};

/// How long a body that itself leads waits for another flight, so that two processes that wait for
/// each other's keys do not stay so.
const NESTED_WAIT: Duration = Duration::from_secs(1);

/// When a call stops waiting for a computation, be it its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    soft: Option<Instant>,
    hard: Option<Instant>,
}

impl Limits {
    /// Those of a call that begins now. Reads no clock where there are none.
    pub(crate) fn from_now(policy: &Policy) -> Self {
        Self {
            soft: policy.soft_timeout.map(runtime::after),
            hard: policy.hard_timeout.map(runtime::after),
        }
    }

    /// Whether a stale answer is kept back for a while.
    pub(super) fn keep_stale_back(self) -> bool {
        self.soft.is_some()
    }

    /// When a caller that has an older answer, or none, stops waiting.
    pub(crate) fn end(self, has_older: bool) -> Option<Instant> {
        match (self.soft.filter(|_| has_older), self.hard) {
            (Some(soft), Some(hard)) => Some(soft.min(hard)),
            (soft, hard) => soft.or(hard),
        }
    }
}

/// What is left of the time one call may wait for others, however often it looks again.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    wait: Instant,
    limits: Limits,
}

impl Budget {
    pub(super) fn of(call: &Call) -> Self {
        let wait = call.plan.policy.wait;
        let wait = if flight::is_within_a_body() { wait.min(NESTED_WAIT) } else { wait };
        Self { wait: runtime::after(wait), limits: call.limits }
    }

    /// What is left to a caller that has an older answer, or none.
    pub(super) fn left(self, has_older: bool) -> Duration {
        let end = self.limits.end(has_older).map_or(self.wait, |end| end.min(self.wait));
        end.saturating_duration_since(Instant::now())
    }
}

impl Call {
    /// What a caller does that has waited for others as long as it may.
    pub(super) fn out_of_time(&self, budget: Budget, older: Option<Shared>) -> Begin {
        let end = budget.limits.end(older.is_some());
        if end.is_none_or(|end| Instant::now() < end) {
            return Begin::Alone(older);
        }
        let counters = &self.plan.core.counters;
        if let Some(value) = older {
            counters.stale_hits.count();
            return Begin::Answer { value, until: None };
        }
        counters.timed_out.count();
        Begin::TimedOut
    }
}
