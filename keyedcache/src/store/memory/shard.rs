//! What one lock of the memory store guards: places by key, each with its record, lease and
//! declined marker, and the order in which they end and age.
//!
//! - `ends` holds every place that will ever end, under the first moment at which a part of it does;
//!   `ages` holds every record under the number of its save. Both change only with `places`, in
//!   [`take`](Shard::take) and [`put`](Shard::put).
//! - A part whose time is over is never answered with, whether it has been removed yet or not.
//! - Nothing here wakes or tells anybody: what ended is handed to the caller, who does so once the
//!   lock is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::Moment;
use crate::error::{Error, ErrorKind};
use crate::record::Life;
use crate::record::{Record, RecordId};
use crate::store::{
    DECLINED_FOR, Guard, Incremented, LeaseToken, Leasing, Release, Slot, StoredKey, Ttl,
};

/// What a place costs beside its key and record, roughly: three tree entries and their pointers.
const OVERHEAD: usize = 200;

/// What is kept free of a shard's room, so that a record of the largest size fits with its key.
pub(super) const KEY_ROOM: usize = 1024;

/// How many ended places each write removes; more than it can add, so that they never pile up.
const TIDIED_BY_A_WRITE: usize = 2;

pub(super) struct Shard {
    places: BTreeMap<StoredKey, Place>,
    ends: BTreeSet<(Moment, StoredKey)>,
    ages: BTreeMap<u64, StoredKey>,
    saves: u64,
    bytes: usize,
    room: usize,
}

#[derive(Default)]
struct Place {
    kept: Option<Kept>,
    lease: Option<Lease>,
    declined_until: Option<Moment>,
}

struct Kept {
    record: Record,
    until: Moment,
    age: u64,
}

struct Lease {
    token: LeaseToken,
    until: Moment,
    over: Arc<Notify>,
}

/// A lease that an operation ended: those who wait for that are to be woken.
#[must_use]
pub(super) struct Ended(Option<Lease>);

impl Ended {
    /// Wakes all who wait for the lease to end. Runs their wakers, so under no lock.
    pub(super) fn announce(self) {
        if let Some(lease) = self.0 {
            lease.over.notify_waiters();
        }
    }
}

impl Place {
    fn seen(&self) -> Option<RecordId> {
        self.kept.as_ref().map(|kept| kept.record.id())
    }

    fn is_leased_to(&self, token: LeaseToken) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.token == token)
    }

    fn slot(&self, now: Moment) -> Slot {
        let kept = self.kept.as_ref().filter(|kept| kept.until > now);
        let lease = self.lease.as_ref().filter(|lease| lease.until > now);
        Slot {
            record: kept.map(|kept| kept.record.clone()),
            lease: lease.map(|lease| lease.token),
            declined: self.declined_until.is_some_and(|until| until > now),
        }
    }

    fn drop_what_ended(&mut self, now: Moment) {
        self.kept.take_if(|kept| kept.until <= now);
        self.lease.take_if(|lease| lease.until <= now);
        self.declined_until.take_if(|until| *until <= now);
    }

    fn is_empty(&self) -> bool {
        self.kept.is_none() && self.lease.is_none() && self.declined_until.is_none()
    }

    /// The first moment at which a part of it ends.
    fn end(&self) -> Moment {
        let kept = self.kept.as_ref().map(|kept| kept.until);
        let lease = self.lease.as_ref().map(|lease| lease.until);
        [kept, lease, self.declined_until].into_iter().flatten().min().unwrap_or(Moment::NEVER)
    }

    fn cost(&self, key: &StoredKey) -> usize {
        self.kept.as_ref().map_or(0, |kept| cost(key, &kept.record))
    }
}

fn cost(key: &StoredKey, record: &Record) -> usize {
    OVERHEAD + key.as_str().len() + record.bytes().len()
}

impl Shard {
    pub(super) fn new(room: usize) -> Self {
        Self {
            places: BTreeMap::new(),
            ends: BTreeSet::new(),
            ages: BTreeMap::new(),
            saves: 0,
            bytes: 0,
            room,
        }
    }

    pub(super) fn view(&self, key: &StoredKey, now: Moment) -> Slot {
        self.places.get(key).map(|place| place.slot(now)).unwrap_or_default()
    }

    pub(super) fn save(
        &mut self,
        key: &StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
        now: Moment,
    ) -> Result<(bool, Ended), Error> {
        if cost(key, &record) > self.room {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "save",
                "the record exceeds a shard's room",
            )
            .with("key", key)
            .with("bytes", record.bytes().len()));
        }
        self.saves += 1;
        let age = self.saves;
        let saved = self.change(key, now, |place| {
            let holds = match guard {
                Guard::Always => true,
                Guard::Seen(seen) => place.seen() == seen,
                Guard::Lease(token) => place.is_leased_to(token),
            };
            if !holds {
                return (false, Ended(None));
            }
            place.kept = Some(Kept { record, until: end_of(ttl, now), age });
            place.declined_until = None;
            (true, Ended(place.lease.take()))
        });
        self.tidy(now, TIDIED_BY_A_WRITE);
        self.cull(now);
        Ok(saved)
    }

    /// Whether a record was there.
    pub(super) fn delete(&mut self, key: &StoredKey, now: Moment) -> (bool, Ended) {
        self.change(key, now, |place| {
            place.declined_until = None;
            (place.kept.take().is_some(), Ended(place.lease.take()))
        })
    }

    pub(super) fn lease(
        &mut self,
        key: &StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
        now: Moment,
    ) -> Leasing {
        self.tidy(now, TIDIED_BY_A_WRITE);
        let until = now.plus(ttl);
        self.change(key, now, |place| {
            if let Some(lease) = &mut place.lease {
                if lease.token != token {
                    return Leasing::Held { by: lease.token, remaining: lease.until.since(now) };
                }
                lease.until = until;
                return Leasing::Granted;
            }
            if place.seen() != seen {
                return Leasing::Changed(place.slot(now));
            }
            place.lease = Some(Lease { token, until, over: Arc::new(Notify::new()) });
            Leasing::Granted
        })
    }

    pub(super) fn renew(
        &mut self,
        key: &StoredKey,
        token: LeaseToken,
        ttl: Duration,
        now: Moment,
    ) -> bool {
        self.change(key, now, |place| {
            let lease = place.lease.as_mut().filter(|lease| lease.token == token);
            lease.map(|lease| lease.until = now.plus(ttl)).is_some()
        })
    }

    /// Whether the token held the lease.
    pub(super) fn release(
        &mut self,
        key: &StoredKey,
        token: LeaseToken,
        release: Release,
        now: Moment,
    ) -> (bool, Ended) {
        self.change(key, now, |place| {
            let lease = place.lease.take_if(|lease| lease.token == token);
            if lease.is_some() && release == Release::Declined {
                place.declined_until = Some(now.plus(DECLINED_FOR));
            }
            (lease.is_some(), Ended(lease))
        })
    }

    /// For how long the lease still stands, and what will tell when it is ended before that.
    pub(super) fn standing(
        &self,
        key: &StoredKey,
        token: LeaseToken,
        now: Moment,
    ) -> Option<(Duration, Arc<Notify>)> {
        let lease = self.places.get(key)?.lease.as_ref()?;
        let stands = lease.token == token && lease.until > now;
        stands.then(|| (lease.until.since(now), Arc::clone(&lease.over)))
    }

    pub(super) fn touch(
        &mut self,
        key: &StoredKey,
        seen: RecordId,
        life: Life,
        now: Moment,
    ) -> Result<bool, Error> {
        self.change(key, now, |place| match &mut place.kept {
            Some(kept) if kept.record.id() == seen => {
                kept.record = kept.record.touched(life)?;
                kept.until = end_of(life.ttl, life.created);
                Ok(true)
            }
            _ => Ok(false),
        })
    }

    pub(super) fn increment(
        &mut self,
        key: &StoredKey,
        seen: RecordId,
        by: i64,
        now: Moment,
    ) -> Result<Incremented, Error> {
        self.change(key, now, |place| match &mut place.kept {
            Some(kept) if kept.record.id() == seen => {
                let summed = kept.record.incremented(by)?;
                let sum = summed.counter_value()?;
                kept.record = summed;
                Ok(Incremented::Sum(sum))
            }
            _ => Ok(Incremented::Changed(place.slot(now))),
        })
    }

    /// Up to `limit` keys of records that start with `prefix`, in order, after the key `from`.
    pub(super) fn keys(
        &self,
        prefix: &str,
        from: Option<&str>,
        limit: usize,
        now: Moment,
    ) -> Vec<StoredKey> {
        let start = match from {
            Some(from) if from >= prefix => Bound::Excluded(StoredKey::new(from)),
            _ => Bound::Included(StoredKey::new(prefix)),
        };
        self.places
            .range((start, Bound::Unbounded))
            .take_while(|(key, _)| key.as_str().starts_with(prefix))
            .filter(|(_, place)| place.kept.as_ref().is_some_and(|kept| kept.until > now))
            .map(|(key, _)| key.clone())
            .take(limit)
            .collect()
    }

    /// Drops the record alone; whether one was there.
    pub(super) fn clear(&mut self, key: &StoredKey, now: Moment) -> bool {
        self.change(key, now, |place| place.kept.take().is_some())
    }

    /// Changes the place of `key`, from which what ended has been dropped.
    fn change<T>(
        &mut self,
        key: &StoredKey,
        now: Moment,
        change: impl FnOnce(&mut Place) -> T,
    ) -> T {
        let mut place = self.take(key);
        place.drop_what_ended(now);
        let answer = change(&mut place);
        self.put(key, place);
        answer
    }

    fn take(&mut self, key: &StoredKey) -> Place {
        let Some((key, place)) = self.places.remove_entry(key) else {
            return Place::default();
        };
        self.bytes -= place.cost(&key);
        if let Some(kept) = &place.kept {
            self.ages.remove(&kept.age);
        }
        self.ends.remove(&(place.end(), key));
        place
    }

    fn put(&mut self, key: &StoredKey, place: Place) {
        if place.is_empty() {
            return;
        }
        self.bytes += place.cost(key);
        if let Some(kept) = &place.kept {
            self.ages.insert(kept.age, key.clone());
        }
        if place.end() != Moment::NEVER {
            self.ends.insert((place.end(), key.clone()));
        }
        self.places.insert(key.clone(), place);
    }

    /// Removes what ended, from at most `at_most` places.
    fn tidy(&mut self, now: Moment, at_most: usize) {
        for _ in 0..at_most {
            match self.ends.first().cloned() {
                Some((end, key)) if end <= now => self.change(&key, now, |_| ()),
                _ => return,
            }
        }
    }

    /// Makes room: first by what ended, then by what was saved longest ago.
    fn cull(&mut self, now: Moment) {
        if self.bytes > self.room {
            self.tidy(now, usize::MAX);
        }
        while self.bytes > self.room {
            let Some((_, key)) = self.ages.first_key_value() else {
                return;
            };
            let key = key.clone();
            self.change(&key, now, |place| place.kept = None);
        }
    }
}

#[cfg(test)]
impl Shard {
    /// How many places there are, whether what is in them has ended or not.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_clean(&self) -> bool {
        self.places.is_empty() && self.ends.is_empty() && self.ages.is_empty() && self.bytes == 0
    }
}

fn end_of(ttl: Ttl, start: Moment) -> Moment {
    ttl.map_or(Moment::NEVER, |ttl| start.plus(ttl))
}
