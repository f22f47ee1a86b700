//! What is done with one key by hand: read, write, delete, touch. What counts is in `count`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Moment;
use crate::codec;
use crate::error::{Error, NotCachedError, NotCachedReason};
use crate::flight::Shared;
use crate::generation;
use crate::key::Key;
use crate::near::{self, Asks, NotedValue, Vouch};
use crate::policy::{Freshness, MissingBecause, Standing, Timeout, judge};
use crate::record::Life;
use crate::record::{Generation, Header, Record, RecordId, Scope, Stamp};
use crate::store::{Guard, Slot, StoredKey};

use super::look::times;
use super::plan::Plan;
use super::verbs::CacheTtl;

/// One key of one cache.
#[derive(Clone)]
pub(crate) struct Value {
    pub(crate) plan: Arc<Plan>,
    pub(crate) key: Key,
    pub(crate) stored: StoredKey,
}

/// What is there and may be served.
pub(super) struct Live {
    pub(super) header: Header,
    pub(super) payload: Bytes,
    pub(super) record: Record,
}

/// What is not there, and by which a write can tell that nothing has come meanwhile.
pub(super) struct Gone {
    pub(super) reason: NotCachedReason,
    pub(super) seen: Option<RecordId>,
    pub(super) source: Option<Error>,
}

impl Value {
    /// The value, if this process has it or the store shows it; else what was noted before the store
    /// was asked, for [`get_from_afar`](Self::get_from_afar).
    pub(super) fn in_reach<T>(&self) -> Result<T, Option<NotedValue>>
    where
        T: DeserializeOwned + Clone + Send + Sync + 'static,
    {
        if let Some(value) = self.near() {
            return Ok(value);
        }
        let noted = self.note();
        // Nobody is here to refresh it, so nobody does so early.
        match self.plan.hit(self.stored.as_str(), None, codec::decode_coded) {
            Some((value, until)) => {
                self.keep_near(|| Arc::new(T::clone(&value)), until, noted);
                Ok(value)
            }
            None => Err(noted),
        }
    }

    /// The value that is cached, as the store loads it.
    pub(super) async fn get_from_afar<T>(
        &self,
        noted: Option<NotedValue>,
    ) -> Result<T, NotCachedError>
    where
        T: DeserializeOwned + Clone + Send + Sync + 'static,
    {
        let (value, until) = self
            .get_as(|header, payload| {
                let value: T = codec::decode_payload(header, payload)?;
                Ok((value, header.fresh_until()))
            })
            .await?;
        self.keep_near(|| Arc::new(value.clone()), until, noted);
        Ok(value)
    }

    /// The value, if this process has it, and of this type.
    pub(super) fn near<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let core = &self.plan.core;
        if !core.is_enabled() {
            return None;
        }
        let value = core
            .values
            .get(&self.stored, |now, deadline| core.vouch(Asks::Trust, now, deadline))?;
        let value = value.downcast_ref().cloned()?;
        core.counters.near_hits.count();
        Some(value)
    }

    /// Notes what a near entry will be valid against; to be called before any store is asked. `None`
    /// unless values are kept near and the store tells of changes.
    pub(super) fn note(&self) -> Option<NotedValue> {
        let core = &self.plan.core;
        self.plan.keeps_near().then(|| core.values.note(&self.stored, &self.plan.scopes))
    }

    /// Keeps the value in this process, if anything was [noted](Self::note) for that.
    pub(super) fn keep_near(
        &self,
        value: impl FnOnce() -> Shared,
        until: Moment,
        noted: Option<NotedValue>,
    ) {
        let Some(noted) = noted else { return };
        let core = &self.plan.core;
        let (key, deadline) = (self.stored.clone(), core.near_deadline(until));
        let capacity = self.plan.policy.near;
        core.values.put(key, value(), deadline, noted, core.near_asks(), capacity);
    }

    /// What is cached, as `decode` reads it.
    pub(crate) async fn get_as<T>(
        &self,
        decode: impl FnOnce(&Header, &Bytes) -> Result<T, Error>,
    ) -> Result<T, NotCachedError> {
        let counters = &self.plan.core.counters;
        let found = match self.find().await {
            Ok(live) => decode(&live.header, &live.payload).map_err(|error| {
                counters.undecodable.count();
                self.not_cached(NotCachedReason::Undecodable, Some(error))
            }),
            Err(gone) => Err(self.not_cached(gone.reason, gone.source)),
        };
        let counter = if found.is_ok() { &counters.store_hits } else { &counters.misses };
        counter.count();
        found
    }

    fn not_cached(&self, reason: NotCachedReason, source: Option<Error>) -> NotCachedError {
        let error = NotCachedError::new(self.key.text(), reason);
        match source {
            Some(source) => error.because(source),
            None => error,
        }
    }

    /// Whether it is there and fresh.
    pub(crate) async fn is_there(&self) -> bool {
        self.find().await.is_ok()
    }

    /// What is there and fresh. A stale record counts as expired: nobody is about to refresh it.
    pub(super) async fn find(&self) -> Result<Live, Gone> {
        let core = &self.plan.core;
        let gone = |reason, source| Gone { reason, seen: None, source };
        if !core.is_enabled() {
            return Err(gone(NotCachedReason::Disabled, None));
        }
        let keys = std::slice::from_ref(&self.stored);
        let scopes = core.store.scopes_for(&self.stored, &self.plan.scopes);
        let load = self.plan.read(keys, &scopes);
        match core.ask("load", load).await {
            Ok(mut loaded) => {
                let slot = loaded.slots.pop().unwrap_or_default();
                judge_slot(&self.plan, slot, &loaded.generations)
            }
            Err(error) => {
                core.count_failure(&error, &self.stored);
                Err(gone(NotCachedReason::Unavailable, Some(error)))
            }
        }
    }

    /// Stores a value, whatever is there. With a zero timeout nothing is stored and what was there
    /// goes.
    pub(crate) async fn set<T: Serialize + ?Sized>(
        &self,
        value: &T,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let core = &self.plan.core;
        if timeout.is_zero() {
            return self.delete().await.map(drop);
        }
        if !core.is_enabled() {
            return Ok(());
        }
        let header = self.header(timeout).await?;
        let record = core.seal(&header, value).map_err(|error| error.with("key", &self.key))?;
        self.replace(&header, record).await
    }

    /// Stores a record, whatever is there.
    pub(crate) async fn replace(&self, header: &Header, record: Record) -> Result<(), Error> {
        let core = &self.plan.core;
        let scopes = core.store.scopes_for(&self.stored, &self.plan.scopes);
        let save = core.store.save(&self.stored, record, header.ttl(), Guard::Always, &scopes);
        let saved = core.ask("save", save).await;
        self.changed_here();
        saved.map(drop).map_err(|error| error.with("key", &self.key))
    }

    /// Stores a value if none is there; says whether it did.
    pub(crate) async fn add<T: Serialize + ?Sized>(
        &self,
        value: &T,
        timeout: Timeout,
    ) -> Result<bool, Error> {
        let core = &self.plan.core;
        if !core.is_enabled() {
            return Ok(false);
        }
        loop {
            let seen = match self.find().await {
                Ok(_) => return Ok(false),
                Err(Gone { source: Some(error), reason: NotCachedReason::Unavailable, .. }) => {
                    return Err(error.with("key", &self.key));
                }
                Err(gone) => gone.seen,
            };
            if timeout.is_zero() {
                return Ok(false);
            }
            // After each look: what is stamped before it could be stored and be invalidated already.
            let header = self.header(timeout).await?;
            let record = core.seal(&header, value).map_err(|error| error.with("key", &self.key))?;
            let saved = self.save_if(record, header.ttl(), seen).await;
            if saved.map_err(|error| error.with("key", &self.key))? {
                return Ok(true);
            }
        }
    }

    /// The header of what is written now.
    pub(crate) async fn header(&self, timeout: Timeout) -> Result<Header, Error> {
        let stamp = self.stamp().await.map_err(|error| error.with("key", &self.key))?;
        Ok(self.plan.header(timeout, stamp, Duration::ZERO))
    }

    /// The stamp of what is written from now on.
    async fn stamp(&self) -> Result<Stamp, Error> {
        let core = &self.plan.core;
        let scopes = &self.plan.scopes;
        let asked = core.store.scopes_for(&self.stored, scopes);
        let generations = core.ask("read generations", core.store.generations(&asked)).await?;
        Ok(scopes.iter().map(Scope::id).zip(generations).collect())
    }

    /// Deletes it, and takes the lease of whoever computes it; says whether it was there.
    pub(crate) async fn delete(&self) -> Result<bool, Error> {
        let core = &self.plan.core;
        // Before: whoever comes from now on must not join a computation that this takes the lease of.
        self.changed_here();
        let delete = core.store.delete(std::slice::from_ref(&self.stored));
        let deleted = core.ask("delete", delete).await;
        self.changed_here();
        deleted.map(|count| count > 0).map_err(|error| error.with("key", &self.key))
    }

    /// What this process keeps or computes of the key is void, whether the write arrived or not.
    pub(crate) fn changed_here(&self) {
        self.plan.core.flights.detach_key(&self.stored);
        near::drop_key(self.stored.digest());
    }

    /// Gives it another life from now on; `false` if it is not there.
    pub(crate) async fn touch(&self, timeout: Timeout) -> Result<bool, Error> {
        if timeout.is_zero() {
            return self.delete().await;
        }
        let core = &self.plan.core;
        loop {
            let live = match self.find().await {
                Ok(live) => live,
                Err(gone) => return gone.absent_or_error(&self.key),
            };
            let mut header = live.header;
            header.created = core.store.now();
            header.fresh_for = timeout.as_duration();
            let anew =
                Life { created: header.created, fresh_for: header.fresh_for, ttl: header.ttl() };
            let scopes = core.store.scopes_for(&self.stored, &self.plan.scopes);
            let touch = core.store.touch(&self.stored, live.record.id(), anew, &scopes);
            let touched = core.ask("touch", touch).await;
            near::drop_key(self.stored.digest());
            if touched.map_err(|error| error.with("key", &self.key))? {
                return Ok(true);
            }
        }
    }

    /// How long it still is fresh.
    pub(crate) async fn ttl(&self) -> Result<CacheTtl, Error> {
        match self.find().await {
            Ok(live) => Ok(match live.header.fresh_until() {
                Moment::NEVER => CacheTtl::NoExpiry,
                until => CacheTtl::Left(until.since(self.plan.core.store.now())),
            }),
            Err(gone) => gone.absent_or_error(&self.key).map(|_| CacheTtl::NoKey),
        }
    }

    /// Stores a record if what is there is still what was seen; says whether it did.
    pub(super) async fn save_if(
        &self,
        record: Record,
        ttl: Option<Duration>,
        seen: Option<RecordId>,
    ) -> Result<bool, Error> {
        let core = &self.plan.core;
        let scopes = core.store.scopes_for(&self.stored, &self.plan.scopes);
        let save = core.store.save(&self.stored, record, ttl, Guard::Seen(seen), &scopes);
        let saved = core.ask("save", save).await;
        self.changed_here();
        saved
    }
}

/// Whether what a slot holds is to be served to someone who will not refresh it.
pub(super) fn judge_slot(
    plan: &Plan,
    slot: Slot,
    generations: &[Option<Generation>],
) -> Result<Live, Gone> {
    let Some(record) = slot.record else {
        return Err(Gone { reason: NotCachedReason::Absent, seen: None, source: None });
    };
    let seen = Some(record.id());
    let (header, payload) = record.open().map_err(|error| {
        plan.core.counters.undecodable.count();
        Gone { reason: NotCachedReason::Undecodable, seen, source: Some(error) }
    })?;
    let gone = |reason| Err(Gone { reason, seen, source: None });
    if !header.fingerprint.agrees_with(plan.fingerprint) {
        return gone(NotCachedReason::Undecodable);
    }
    let standing = generation::standing(header.stamp.in_place(), &plan.scopes, generations);
    let verdict = judge(&times(&header), standing, plan.core.store.now(), Duration::ZERO);
    match verdict.freshness {
        Freshness::Fresh | Freshness::Early => Ok(Live { header, payload, record }),
        Freshness::Missing(MissingBecause::Invalidated) => gone(NotCachedReason::Invalidated),
        Freshness::Stale if standing != Standing::Current => gone(NotCachedReason::Invalidated),
        Freshness::Stale | Freshness::Missing(_) => gone(NotCachedReason::Expired),
    }
}

impl Live {
    /// The value in it.
    pub(super) fn decode<T: DeserializeOwned + 'static>(&self) -> Result<T, Error> {
        codec::decode_payload(&self.header, &self.payload)
    }
}

impl Gone {
    pub(super) fn absent_or_error(self, key: &Key) -> Result<bool, Error> {
        match (self.reason, self.source) {
            (NotCachedReason::Unavailable, Some(error)) => Err(error.with("key", key)),
            _ => Ok(false),
        }
    }
}
