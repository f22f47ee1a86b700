//! Reading and finding what stands under keys.

use bytes::Bytes;

use super::link::Step;
use super::{RedisStore, keeping, names, records};
use crate::error::Error;
use crate::record::Scope;
use crate::store::{Loaded, Slot, StoredKey};

/// How names are read.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    /// As [`Link::read`](super::link::Link::read).
    Registered,
    /// As [`Link::glance`](super::link::Link::glance).
    Glance,
}

impl RedisStore {
    /// Records, leases and generations, in one round trip; counters in one more.
    pub(super) async fn read(
        &self,
        reading: Reading,
        keys: &[StoredKey],
        scopes: &[Scope],
    ) -> Result<Loaded, Error> {
        if keys.is_empty() && scopes.is_empty() {
            return Ok(Loaded::default());
        }
        let mut asked = Vec::with_capacity(2 * keys.len() + scopes.len() + 1);
        for key in keys {
            asked.extend([names::record(key), names::lease(key)]);
        }
        asked.extend(scopes.iter().map(names::generation));
        let eras = self.eras(scopes);
        asked.extend(eras.names.iter().cloned());
        let count = asked.len();
        let mut texts = match reading {
            Reading::Registered => self.link.read(asked).await?,
            Reading::Glance => self.link.glance(asked).await?,
        };
        if texts.len() != count {
            return Err(self.garbled("load"));
        }
        let found = texts.split_off(count - eras.names.len());
        let mut texts = texts.into_iter();
        let mut slots = Vec::with_capacity(keys.len());
        for _ in keys {
            let [record, lease] = [texts.next(), texts.next()].map(Option::flatten);
            slots.push(records::slot(record, None, lease.as_ref()));
        }
        let generation = |(at, text): (usize, Option<Bytes>)| {
            eras.count(at, keeping::generation(&text?)?, &found)
        };
        let generations = texts.enumerate().map(generation).collect();
        self.count(keys, &mut slots).await?;
        Ok(Loaded { slots, generations })
    }

    /// Reads what may be counters once more, with their headers.
    pub(super) async fn count(&self, keys: &[StoredKey], slots: &mut [Slot]) -> Result<(), Error> {
        let is_number = |slot: &Slot| {
            slot.record.as_ref().is_some_and(|record| records::is_number(record.bytes()))
        };
        let counters: Vec<_> = (0..slots.len()).filter(|&at| is_number(&slots[at])).collect();
        if counters.is_empty() {
            return Ok(());
        }
        let asked = counters.iter().flat_map(|&at| {
            let key = &keys[at];
            [names::record(key), names::header(key)]
        });
        let texts = self.link.read(asked.collect()).await?;
        if texts.len() != 2 * counters.len() {
            return Err(self.garbled("load"));
        }
        for (at, pair) in counters.into_iter().zip(texts.chunks_exact(2)) {
            slots[at].record =
                pair[0].clone().map(|text| records::put_together(text, pair[1].as_ref()));
        }
        Ok(())
    }

    /// The keys one step of a scan finds.
    pub(super) async fn step(
        &self,
        prefix: &str,
        from: Option<&str>,
        count: usize,
    ) -> Result<Found, Error> {
        let Step { names, next } = self.link.scan(names::pattern(prefix), from, count).await?;
        let keys = names.iter().filter_map(|name| names::key_of_record(name));
        Ok(Found { keys: keys.collect(), next })
    }

    /// Removes records and leaves their leases; says how many there were.
    pub(super) async fn unlink(&self, keys: &[StoredKey]) -> Result<usize, Error> {
        if keys.is_empty() {
            return Ok(0);
        }
        let _telling: Vec<_> = keys.iter().map(|key| self.pushed.writing(key)).collect();
        let removed = self.link.unlink(keys.iter().map(names::record).collect()).await?;
        self.link.unlink(keys.iter().map(names::header).collect()).await?;
        Ok(removed)
    }
}

/// What one step of a scan has found.
pub(super) struct Found {
    pub(super) keys: Vec<StoredKey>,
    pub(super) next: Option<String>,
}
