//! Counters: an integer under a key that many add to at once.
//!
//! What is there is added to by the store itself. What was set as any other value becomes a counter
//! at its first increment, and what is missing is started, both guarded by the record that was seen:
//! of several that do it at once one does, and the others add to what it left.

use crate::clock::Moment;
use crate::error::{Error, ErrorKind, NotCachedReason};
use crate::near;
use crate::policy::Timeout;
use crate::record::{CodecId, Record, RecordId};
use crate::store::Incremented;

use super::value::{Live, Value};

impl Value {
    /// Adds to a counter and returns the sum; what is missing counts from `start`, if one is given,
    /// and lives as long as `timeout` says; zero does not store it. Keeps the life of what is there.
    pub(crate) async fn increment(
        &self,
        by: Option<i64>,
        start: Option<i64>,
        timeout: Timeout,
    ) -> Result<i64, Error> {
        let named = |error: Error| error.with("key", &self.key);
        let by = by.ok_or_else(|| named(out_of_range()))?;
        loop {
            let sum = match self.find().await {
                Ok(live) if live.header.codec == CodecId::COUNTER => {
                    self.add_to(&live.record, by).await
                }
                Ok(live) => self.replace_by_counter(&live, by).await,
                Err(gone) => {
                    if gone.reason == NotCachedReason::Disabled {
                        return Err(named(Error::new(
                            ErrorKind::Disabled,
                            "increment",
                            "the cache is disabled",
                        )));
                    }
                    let seen = gone.seen;
                    gone.absent_or_error(&self.key)?;
                    let Some(start) = start else {
                        return Err(named(Error::new(
                            ErrorKind::NotCached,
                            "increment",
                            "nothing is cached under the key; set it first, or say `.starting_at(0)`",
                        )));
                    };
                    self.start_counter(start, by, timeout, seen).await
                }
            };
            near::drop_key(self.stored.digest());
            if let Some(sum) = sum.map_err(named)? {
                return Ok(sum);
            }
        }
    }

    /// `None` if the record is another one by now.
    async fn add_to(&self, record: &Record, by: i64) -> Result<Option<i64>, Error> {
        let core = &self.plan.core;
        let increment = core.store.increment(&self.stored, record.id(), by);
        match core.ask("increment", increment).await? {
            Incremented::Sum(sum) => Ok(Some(sum)),
            Incremented::Changed(_) => Ok(None),
        }
    }

    /// A number that was set becomes a counter at its first increment.
    async fn replace_by_counter(&self, live: &Live, by: i64) -> Result<Option<i64>, Error> {
        let number: i64 = live.decode().map_err(|error| {
            Error::new(ErrorKind::NotACounter, "increment", "what is cached is not an integer")
                .with_source(error)
        })?;
        let sum = number.checked_add(by).ok_or_else(out_of_range)?;
        let mut header = live.header.clone();
        header.id = RecordId::random();
        let left = match header.last_use() {
            Moment::NEVER => None,
            until => Some(until.since(self.plan.core.store.now())),
        };
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(None); // it has just ended
        }
        let record = Record::counter(header, sum)?;
        let saved = self.save_if(record, left, Some(live.record.id())).await?;
        Ok(saved.then_some(sum))
    }

    async fn start_counter(
        &self,
        start: i64,
        by: i64,
        timeout: Timeout,
        seen: Option<RecordId>,
    ) -> Result<Option<i64>, Error> {
        let sum = start.checked_add(by).ok_or_else(out_of_range)?;
        if timeout.is_zero() {
            return Ok(Some(sum));
        }
        let header = self.header(timeout).await?;
        let ttl = header.ttl();
        let record = Record::counter(header, sum)?;
        let saved = self.save_if(record, ttl, seen).await?;
        Ok(saved.then_some(sum))
    }
}

fn out_of_range() -> Error {
    Error::new(ErrorKind::NotACounter, "increment", "the sum is out of range")
}
