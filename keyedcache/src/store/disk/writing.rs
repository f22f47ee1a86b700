//! What one write transaction does: the operations of the store, each whole or not at all.
//!
//! An operation that returns an error of LMDB has the whole transaction aborted; one that refuses
//! (the inner error) has changed nothing.

use heed::RwTxn;

use super::appending::Appending;
use super::environment::Tree;
use super::layout::{self, Change, EntryKey, LEASES, LeaseEntry, RECORDS, RecordEntry, Stored};
use super::opening::Opening;
use super::reader;
use crate::clock::Moment;
use crate::error::Error;
use crate::record::Life;
use crate::record::{Generation, GenerationToken, Record, RecordId, Scope};
use crate::store::{
    DECLINED_FOR, Guard, Incremented, LeaseToken, Leasing, Release, Severity, StoredKey, Ttl,
};

/// A write transaction on its way.
pub(super) struct Writing<'e> {
    pub(super) opening: &'e Opening,
    pub(super) txn: RwTxn<'e>,
    pub(super) tree: Tree,
    pub(super) now: Moment,
    pub(super) log: Appending,
}

/// An operation's answer or refusal, within what LMDB says.
pub(super) type Outcome<T> = heed::Result<Result<T, Error>>;

impl<'e> Writing<'e> {
    pub(super) fn begin(opening: &'e Opening) -> heed::Result<Self> {
        let txn = opening.env.write_txn()?;
        Ok(Self {
            opening,
            log: Appending::after(opening.ring.end_before(txn.id() as u64)),
            txn,
            tree: opening.tree,
            // After the wait for other writers: a lease may have ended meanwhile.
            now: opening.clock.now(),
        })
    }

    pub(super) fn save(
        &mut self,
        key: &StoredKey,
        record: &Record,
        ttl: Ttl,
        guard: Guard,
    ) -> heed::Result<bool> {
        let lease = reader::lease(&self.txn, self.tree, key)?;
        let by = match guard {
            Guard::Always => None,
            Guard::Seen(seen) => {
                if self.current(key)? != seen {
                    return Ok(false);
                }
                None
            }
            Guard::Lease(token) => {
                if !lease.is_some_and(|lease| lease.stands(self.now) && lease.token == token) {
                    return Ok(false);
                }
                Some(token)
            }
        };
        let ends = ttl.map_or(Moment::NEVER, |ttl| self.now.plus(ttl));
        let change = Change::Key { digest: key.digest().0, by: by.map(|token| token.holder) };
        let stored = Stored { ends, text: key.as_str() };
        let sequence = self.append(change, Some(stored))?;
        // Written over what was there, whose entry of the log is spent by that.
        self.put_record(key, record, ends, sequence)?;
        if lease.is_some() {
            self.remove_lease(key)?;
        }
        Ok(true)
    }

    /// The record's id, if its time is not over.
    fn current(&self, key: &StoredKey) -> heed::Result<Option<RecordId>> {
        let entry = reader::record(&self.txn, self.tree, key, self.now)?;
        Ok(entry.map(|entry| Record::id_of(entry.record)))
    }

    fn put_record(
        &mut self,
        key: &StoredKey,
        record: &Record,
        ends: Moment,
        sequence: u64,
    ) -> heed::Result<()> {
        let Some(entry_key) = EntryKey::text(RECORDS, key.as_str()) else {
            return Err(heed::MdbError::BadValSize.into());
        };
        let entry = RecordEntry { ends, sequence, record: record.bytes() };
        self.tree.put_reserved(
            &mut self.txn,
            entry_key.as_bytes(),
            entry.encoded_len(),
            |space| {
                use std::io::Write as _;
                space.write_all(&entry.head())?;
                space.write_all(entry.record)
            },
        )?;
        Ok(())
    }

    /// Removes a record; says whether its time was not over.
    pub(super) fn remove_record(&mut self, key: &StoredKey) -> heed::Result<bool> {
        let found = reader::entry(&self.txn, self.tree, key.as_str())?;
        let ends = found.map(|entry| entry.ends);
        if ends.is_some()
            && let Some(entry_key) = EntryKey::text(RECORDS, key.as_str())
        {
            self.tree.delete(&mut self.txn, entry_key.as_bytes())?;
        }
        Ok(ends.is_some_and(|ends| ends > self.now))
    }

    fn remove_lease(&mut self, key: &StoredKey) -> heed::Result<()> {
        if let Some(entry_key) = EntryKey::text(LEASES, key.as_str()) {
            self.tree.delete(&mut self.txn, entry_key.as_bytes())?;
        }
        Ok(())
    }

    fn put_lease(&mut self, key: &StoredKey, lease: &LeaseEntry) -> heed::Result<()> {
        let Some(entry_key) = EntryKey::text(LEASES, key.as_str()) else {
            return Err(heed::MdbError::BadValSize.into());
        };
        self.tree.put(&mut self.txn, entry_key.as_bytes(), &lease.encode())
    }

    pub(super) fn delete(&mut self, keys: &[StoredKey]) -> heed::Result<usize> {
        let mut deleted = 0;
        for key in keys {
            deleted += usize::from(self.remove_record(key)?);
            self.remove_lease(key)?;
            // Told even if nothing was there: a near cache may keep what has been culled here.
            self.key_changed(key)?;
        }
        Ok(deleted)
    }

    pub(super) fn lease(
        &mut self,
        key: &StoredKey,
        token: LeaseToken,
        ttl: std::time::Duration,
        seen: Option<RecordId>,
    ) -> heed::Result<Leasing> {
        let now = self.now;
        let found = reader::lease(&self.txn, self.tree, key)?;
        let standing = found.filter(|lease| lease.stands(now));
        match standing {
            Some(lease) if lease.token == token => {}
            Some(lease) if self.opening.owners.is_alive(lease.owner) => {
                return Ok(Leasing::Held { by: lease.token, remaining: lease.ends.since(now) });
            }
            _ => {
                if self.current(key)? != seen {
                    let mut slot = reader::slot(&self.txn, self.tree, key, now)?;
                    slot.lease = None; // its owner is dead
                    return Ok(Leasing::Changed(slot));
                }
            }
        }
        self.put_lease(
            key,
            &LeaseEntry {
                token,
                owner: self.opening.owners.own(),
                ends: now.plus(ttl),
                declined_until: found.map_or(Moment::from_micros(0), |lease| lease.declined_until),
            },
        )?;
        Ok(Leasing::Granted)
    }

    /// The lease, if it stands and this token holds it.
    fn held(&self, key: &StoredKey, token: LeaseToken) -> heed::Result<Option<LeaseEntry>> {
        let lease = reader::lease(&self.txn, self.tree, key)?;
        Ok(lease.filter(|lease| lease.stands(self.now) && lease.token == token))
    }

    pub(super) fn renew(
        &mut self,
        key: &StoredKey,
        token: LeaseToken,
        ttl: std::time::Duration,
    ) -> heed::Result<bool> {
        let Some(lease) = self.held(key, token)? else {
            return Ok(false);
        };
        let ends = self.now.plus(ttl);
        self.put_lease(key, &LeaseEntry { ends, ..lease })?;
        Ok(true)
    }

    pub(super) fn release(
        &mut self,
        key: &StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> heed::Result<bool> {
        let Some(lease) = self.held(key, token)? else {
            return Ok(false);
        };
        let declined_until = match release {
            Release::Abandoned => lease.declined_until,
            Release::Declined => self.now.plus(DECLINED_FOR),
        };
        let left = LeaseEntry { ends: Moment::from_micros(0), declined_until, ..lease };
        if left.is_declined(self.now) {
            self.put_lease(key, &left)?;
        } else {
            self.remove_lease(key)?;
        }
        Ok(true)
    }

    pub(super) fn generations(&mut self, scopes: &[Scope]) -> heed::Result<Vec<Generation>> {
        let mut generations = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let stored = reader::generation(&self.txn, self.tree, scope.id())?;
            let generation = match stored {
                Some(generation) => generation,
                None => self.put_generation(scope, Generation::random())?,
            };
            generations.push(generation);
        }
        Ok(generations)
    }

    fn put_generation(
        &mut self,
        scope: &Scope,
        generation: Generation,
    ) -> heed::Result<Generation> {
        let key = EntryKey::generation(scope.id().0);
        let value = layout::encode_generation(generation);
        self.tree.put(&mut self.txn, key.as_bytes(), &value)?;
        Ok(generation)
    }

    pub(super) fn invalidate(&mut self, scopes: &[Scope], severity: Severity) -> heed::Result<()> {
        for scope in scopes {
            let stored = reader::generation(&self.txn, self.tree, scope.id())?;
            let mut generation = stored.unwrap_or_else(Generation::random);
            match severity {
                Severity::Hard => generation.hard = GenerationToken::random(),
                Severity::Soft => generation.soft = GenerationToken::random(),
            }
            self.put_generation(scope, generation)?;
            self.changed(Change::Scope(scope.id().0))?;
        }
        Ok(())
    }

    pub(super) fn touch(&mut self, key: &StoredKey, seen: RecordId, life: Life) -> Outcome<bool> {
        let Some((record, _, sequence)) = self.seen(key, seen)? else {
            return Ok(Ok(false));
        };
        let touched = match record.touched(life) {
            Ok(touched) => touched,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let ends = life.ttl.map_or(Moment::NEVER, |ttl| life.created.plus(ttl));
        self.put_record(key, &touched, ends, sequence)?;
        self.key_changed(key)?;
        Ok(Ok(true))
    }

    pub(super) fn increment(
        &mut self,
        key: &StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Outcome<Incremented> {
        let Some((record, ends, sequence)) = self.seen(key, seen)? else {
            let slot = reader::slot(&self.txn, self.tree, key, self.now)?;
            return Ok(Ok(Incremented::Changed(slot)));
        };
        let summed = record
            .incremented(by)
            .and_then(|summed| summed.counter_value().map(|sum| (summed, sum)));
        let (summed, sum) = match summed {
            Ok(summed) => summed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.put_record(key, &summed, ends, sequence)?;
        self.key_changed(key)?;
        Ok(Ok(Incremented::Sum(sum)))
    }

    /// A copy of the record, if it is still the one `seen`.
    fn seen(&self, key: &StoredKey, seen: RecordId) -> heed::Result<Option<(Record, Moment, u64)>> {
        let entry = reader::record(&self.txn, self.tree, key, self.now)?;
        let entry = entry.filter(|entry| Record::id_of(entry.record) == seen);
        Ok(entry.map(|entry| {
            let bytes = bytes::Bytes::copy_from_slice(entry.record);
            (Record::from_bytes(bytes), entry.ends, entry.sequence)
        }))
    }

    /// One step of a clear: removes up to `limit` records; says how many, and whether more are left.
    pub(super) fn clear(&mut self, prefix: &str, limit: usize) -> heed::Result<(usize, bool)> {
        let keys = reader::texts(&self.txn, self.tree, prefix, None)?
            .take(limit)
            .map(|entry| entry.map(|(text, _)| StoredKey::new(text)))
            .collect::<heed::Result<Vec<_>>>()?;
        let mut cleared = 0;
        for key in &keys {
            cleared += usize::from(self.remove_record(key)?);
            self.key_changed(key)?;
        }
        Ok((cleared, keys.len() == limit))
    }
}
