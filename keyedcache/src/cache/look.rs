//! One look at a key: what stands under it, and whether it is to be served.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Moment;
use crate::error::Error;
use crate::flight::{Shared, Tick};
use crate::generation;
use crate::policy::{Freshness, Standing, Times, head_start, judge};
use crate::record::{Generation, Header, Record, RecordId, Scope};
use crate::store::{LeaseToken, Loaded, Pending, Slot, StoredKey};

use super::patience::Patience;
use super::plan::{Call, Plan};

/// Turns the payload of a record into the value its function answers with.
pub(crate) type Decode = fn(&Header, &Bytes) -> Result<Shared, Error>;

/// What was found under a key, judged.
pub(crate) struct Look {
    /// How the record stands.
    pub(crate) found: Found,
    /// The record's id, if anything is stored at all.
    pub(crate) seen: Option<RecordId>,
    pub(crate) lease: Option<LeaseToken>,
    pub(crate) declined: bool,
    pub(crate) generations: Vec<Option<Generation>>,
    /// When the reading of the generations began.
    pub(crate) since: Tick,
}

pub(crate) enum Found {
    /// To be served, until this moment of the store's clock.
    Fresh { value: Shared, until: Moment },
    /// To be served while somebody refreshes it; fresh still if that is done early.
    Stale { value: Shared, is_early: bool },
    /// Not to be served, but for `on_error` if computing fails.
    Missing { on_error: Option<Shared> },
}

impl Found {
    /// What may be served if computing fails.
    pub(crate) fn on_error(&self) -> Option<Shared> {
        match self {
            Self::Missing { on_error } => on_error.clone(),
            Self::Fresh { value, .. } | Self::Stale { value, .. } => Some(Arc::clone(value)),
        }
    }
}

impl Call {
    /// Reads the key and its scopes, in one round trip, and judges what is there.
    pub(crate) async fn look(&self, patience: &mut Patience) -> Result<Look, Error> {
        self.look_by(patience, Plan::read).await
    }

    /// The same, and hears before of all that had changed, and from then on of what changes: by that
    /// alone it is known how old a flight is that no lease vouches for.
    pub(crate) async fn look_and_listen(&self, patience: &mut Patience) -> Result<Look, Error> {
        self.look_by(patience, |plan, keys, scopes| plan.core.store.load(keys, scopes)).await
    }

    async fn look_by(
        &self,
        patience: &mut Patience,
        read: impl for<'r> FnOnce(&'r Plan, &'r [StoredKey], &'r [Scope]) -> Pending<'r, Loaded>,
    ) -> Result<Look, Error> {
        let core = &self.plan.core;
        let since = core.flights.tick();
        let keys = std::slice::from_ref(&self.key);
        let scopes = core.store.scopes_for(&self.key, &self.plan.scopes);
        let load = read(&self.plan, keys, &scopes);
        let mut loaded = patience.ask(core, "load", load).await?;
        let slot = loaded.slots.pop().unwrap_or_default();
        Ok(self.judge(slot, loaded.generations, since))
    }

    /// Judges what stands under the key by generations that were read in this same call, by a
    /// reading that began at `since`.
    pub(crate) fn judge(
        &self,
        slot: Slot,
        generations: Vec<Option<Generation>>,
        since: Tick,
    ) -> Look {
        Look {
            seen: slot.record.as_ref().map(Record::id),
            found: match slot.record {
                Some(record) => self.judge_record(&record, &generations),
                None => Found::Missing { on_error: None },
            },
            lease: slot.lease,
            declined: slot.declined,
            generations,
            since,
        }
    }

    fn judge_record(&self, record: &Record, generations: &[Option<Generation>]) -> Found {
        let plan = &self.plan;
        let opened = record.open().and_then(|(header, payload)| {
            let standing = generation::standing(header.stamp.in_place(), &plan.scopes, generations);
            if !header.fingerprint.agrees_with(plan.fingerprint)
                || standing == Standing::Invalidated
            {
                return Ok(Found::Missing { on_error: None });
            }
            let verdict = judge(&times(&header), standing, self.now(), self.head_start(&header));
            Ok(match verdict.freshness {
                Freshness::Fresh => Found::Fresh {
                    value: (self.decode)(&header, &payload)?,
                    until: self.fresh_until(&header),
                },
                freshness @ (Freshness::Early | Freshness::Stale) => Found::Stale {
                    value: (self.decode)(&header, &payload)?,
                    is_early: freshness == Freshness::Early,
                },
                Freshness::Missing(_) if verdict.usable_on_error => {
                    Found::Missing { on_error: Some((self.decode)(&header, &payload)?) }
                }
                Freshness::Missing(_) => Found::Missing { on_error: None },
            })
        });
        opened.unwrap_or_else(|error| {
            plan.core.counters.undecodable.count();
            tracing::warn!(target: "keyedcache", key = %self.key, %error, "record is a miss");
            Found::Missing { on_error: None }
        })
    }

    fn now(&self) -> Moment {
        self.plan.core.store.now()
    }

    /// Until when a near cache may serve it. With `early` the die is cast here, once, instead of at
    /// each hit.
    pub(crate) fn fresh_until(&self, header: &Header) -> Moment {
        header.fresh_until().minus(self.head_start(header))
    }

    /// How long before its end this record is refreshed already.
    fn head_start(&self, header: &Header) -> Duration {
        head_start_of(header.cost, self.plan.policy.early)
    }
}

/// How long before its end a record that cost this much is refreshed already, as of this throw.
pub(super) fn head_start_of(cost: Duration, early: Option<f64>) -> Duration {
    early.map_or(Duration::ZERO, |beta| head_start(cost, beta, draw()))
}

pub(super) fn times(header: &Header) -> Times {
    Times {
        created: header.created,
        fresh_for: header.fresh_for,
        stale_for: header.stale_for,
        stale_if_error: header.stale_if_error,
        cost: header.cost,
    }
}

/// A number in `(0, 1]`.
pub(crate) fn draw() -> f64 {
    let bits = u64::from_le_bytes(crate::record::random_bytes()) >> 11;
    #[allow(clippy::cast_precision_loss)] // 53 bits fit
    {
        (bits + 1) as f64 / (1_u64 << 53) as f64
    }
}
