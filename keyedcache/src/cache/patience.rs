//! How long one call waits for a store in all.
//!
//! Each operation may take what those before it left of `store_timeout`, so that a store that is slow
//! or silent costs a call that time once, however many operations the call needs. What is answered at
//! once costs nothing, not even a look at a clock. A store that has shown that it works, by telling a
//! waiting call of a change, has the whole time again.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::runtime;
use crate::store::Pending;

use super::core::Core;

pub(crate) struct Patience {
    left: Duration,
}

impl Patience {
    pub(crate) fn of(core: &Core) -> Self {
        Self { left: core.store_timeout }
    }

    /// What the store answers in the time that is left.
    pub(crate) async fn ask<T>(
        &mut self,
        core: &Core,
        operation: &'static str,
        pending: Pending<'_, T>,
    ) -> Result<T, Error> {
        let answer = self.wait_for(pending).await;
        answer.unwrap_or_else(|| Err(core.no_answer(operation, core.store_timeout)))
    }

    /// What the future answers in the time that is left, if it does.
    pub(crate) async fn wait_for<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let (answer, end) = runtime::timed(self.left, future).await;
        if let Some(end) = end {
            self.left = end.saturating_duration_since(Instant::now());
        }
        answer
    }
}
