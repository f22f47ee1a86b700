//! The value under a key, or computed by one among all that ask for it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec;
use crate::error::Error;
use crate::flight::{LeadingBody, Shared};
use crate::near::NotedValue;
use crate::policy::Timeout;
use crate::record::Header;

use super::lead::{Leader, take};
use super::limits::Limits;
use super::plan::{Begin, Call, Plan};
use super::request::Request;
use super::value::Value;

/// A request for the value under a key that says how to compute it: finish it with
/// [`compute`](Self::compute).
///
/// What computes is run by one caller among all tasks, threads and processes that ask at the same
/// time; the others wait for its value. It takes the place of `#[cached]` where a key is made by
/// hand.
#[must_use = "say how to compute the value with `.compute(..)`"]
pub struct GetOrSet {
    at: Value,
    plan: Plan,
}

impl GetOrSet {
    pub(super) fn new(at: Value) -> Self {
        let mut plan = Plan::of_values(&at.plan.core, Arc::clone(&at.plan.scopes));
        // What computes is borrowed from the caller, so it cannot go on without one.
        plan.policy.refresh_in_foreground = true;
        Self { at, plan }
    }

    /// How long the value is fresh; zero computes without storing. Default: the cache's.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.plan.policy.timeout = timeout.into();
        self
    }

    /// How long after that it is served while one caller computes it anew, and waits for it; zero is
    /// not at all. Default: the cache's.
    pub fn stale(mut self, stale: Duration) -> Self {
        self.plan.policy.stale = stale;
        self
    }

    /// The largest part of the timeout that is taken off at random, from 0 to 1. Default: the cache's.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.plan.policy.jitter = jitter.clamp(0.0, 1.0);
        self
    }

    /// How long the call waits for another's computation before it computes by itself; at most 1 s
    /// within the body of a cached function. Default: the cache's.
    pub fn wait_at_most(mut self, wait: Duration) -> Self {
        self.plan.policy.wait = wait;
        self
    }

    /// Computes the value where it is missing.
    ///
    /// A store that is broken costs a computation, never an error.
    pub fn compute<T, F>(self, compute: F) -> Request<impl Future<Output = T> + use<T, F>>
    where
        T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
        F: AsyncFnOnce() -> T,
    {
        let Self { at, plan } = self;
        Request::new(async move {
            if let Some(value) = at.near() {
                return value;
            }
            let noted = at.note();
            let call = Call {
                plan: Arc::new(plan),
                key: at.stored.clone(),
                decode: decode::<T>,
                limits: Limits::default(),
            };
            let found: Option<T> = match call.begin().await {
                Begin::Lead(leader) => {
                    let flight = leader.flight_id();
                    let value = LeadingBody::new(flight, Box::pin(compute())).await;
                    // Writing and copying the value are the user's code as the body is.
                    let finish = Box::pin(finish(leader, &call, &at, noted, &value));
                    LeadingBody::new(flight, finish).await;
                    return value;
                }
                Begin::Answer { value, until } => {
                    if let Some(until) = until {
                        at.keep_near(|| Arc::clone(&value), until, noted);
                    }
                    take(value)
                }
                Begin::Stale { value, .. } => take(value),
                Begin::Alone(_) | Begin::Error(_) | Begin::TimedOut => None,
            };
            if let Some(value) = found {
                return value;
            }
            // So it is too where a flight's callers ask for another type under the same key.
            call.plan.core.counters.computed_alone.count();
            compute().await
        })
    }
}

impl fmt::Debug for GetOrSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrSet").field("key", &self.at.key).finish_non_exhaustive()
    }
}

fn decode<T>(header: &Header, payload: &Bytes) -> Result<Shared, Error>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let value: T = codec::decode_payload(header, payload)?;
    Ok(Arc::new(value))
}

async fn finish<T>(
    mut leader: Box<Leader>,
    call: &Call,
    at: &Value,
    noted: Option<NotedValue>,
    value: &T,
) where
    T: Serialize + Clone + Send + Sync + 'static,
{
    let timeout = call.plan.policy.timeout;
    if timeout.is_zero() {
        leader.declined(None).await;
        return;
    }
    let shared: Shared = Arc::new(value.clone());
    if leader.can_save() {
        let header = leader.header(timeout);
        match call.plan.core.seal(&header, value) {
            Ok(record) => {
                let noted = noted.map(NotedValue::at_save);
                if let Some(until) = leader.save(&header, record).await {
                    at.keep_near(|| Arc::clone(&shared), until, noted);
                }
            }
            Err(error) => leader.unencodable(&error),
        }
    }
    leader.answered(shared);
}
