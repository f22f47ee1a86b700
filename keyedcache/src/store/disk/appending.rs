//! The end of the log as a write transaction moves it: what it appends, and what the tree takes in of
//! what has been noted beside it (`tail.rs`).

use std::cmp::Ordering;

use heed::MdbError;

use super::layout::{Change, EntryKey, LogEntry, Stored};
use super::log;
use super::tail::{End, Entries, Notes, PLACES};
use super::writing::Writing;
use crate::store::StoredKey;

/// More changes than this in one transaction, besides stored records, are told as
/// [`Change::Everything`].
const LISTED: usize = 1024;

/// How many notes are settled at once. Several, since what the tree takes in then lies side by side.
pub(super) const SETTLED_AT_ONCE: u64 = 64;

/// How many notes there are at most that are not settled. Fewer than places, so that those who are
/// being told of the oldest ones have some time.
const UNSETTLED: u64 = PLACES - 2 * SETTLED_AT_ONCE;

/// What one transaction appends.
#[derive(Default)]
pub(super) struct Appending {
    /// Where the log ends by now, once it is known.
    end: Option<End>,
    entries: Entries,
    /// How many of the entries the tree has taken in, since a note has no room for all.
    taken: usize,
    /// How many of them are listed besides stored records.
    listed: usize,
}

/// What a committed transaction leaves to tell.
pub(super) struct Written {
    pub(super) transaction: u64,
    entries: Entries,
    /// Where the log ends.
    pub(super) end: End,
}

impl Written {
    /// What has changed.
    pub(super) fn changes(&self) -> impl Iterator<Item = Change> {
        self.entries.iter().map(Change::decode)
    }
}

impl Appending {
    /// Goes on where the log ended before the transaction, if that is known.
    pub(super) fn after(end: Option<End>) -> Self {
        Self { end, ..Self::default() }
    }
}

/// What has become of notes that have been settled.
#[derive(Default)]
pub(super) struct Settled {
    /// How many entries the tree has taken in.
    pub(super) taken: usize,
    /// How many records had ended, and are removed.
    pub(super) ended: usize,
}

impl Writing<'_> {
    fn transaction(&self) -> u64 {
        self.txn.id() as u64
    }

    /// Where the log ends by now.
    pub(super) fn end(&mut self) -> heed::Result<End> {
        if let Some(end) = self.log.end {
            return Ok(end);
        }
        let end = self.opening.tail.end_after(self.transaction() - 1);
        Ok(*self.log.end.insert(end.ok_or(MdbError::Corrupted)?))
    }

    /// Appends an entry, and returns its sequence.
    pub(super) fn append(
        &mut self,
        change: Change,
        stored: Option<Stored<'_>>,
    ) -> heed::Result<u64> {
        let end = self.end()?;
        let last = end.last + 1;
        self.log.end = Some(End { last, ..end });
        self.log.entries.push(LogEntry { change, stored });
        Ok(last)
    }

    /// Writes down a change other than a stored record.
    pub(super) fn changed(&mut self, change: Change) -> heed::Result<()> {
        self.log.listed += 1;
        match self.log.listed.cmp(&LISTED) {
            Ordering::Less => self.append(change, None)?,
            Ordering::Equal => self.append(Change::Everything, None)?,
            Ordering::Greater => return Ok(()),
        };
        Ok(())
    }

    pub(super) fn key_changed(&mut self, key: &StoredKey) -> heed::Result<()> {
        self.changed(Change::Key { digest: key.digest().0, by: None })
    }

    /// Removes a spent entry of the log from the tree, unless somebody may still have to be told of
    /// it.
    pub(super) fn forget(&mut self, sequence: u64) -> heed::Result<()> {
        if sequence + self.opening.kept() <= self.end()?.last {
            let key = EntryKey::log(sequence);
            self.tree.delete(&mut self.txn, key.as_bytes())?;
        }
        Ok(())
    }

    /// Has the tree take in what it must: own entries that no note has room for, and those of notes
    /// that are about to be written over. Says how many those were.
    pub(super) fn take_in(&mut self) -> heed::Result<usize> {
        let mut taken = self.take_in_own()?;
        if self.unsettled()? >= UNSETTLED {
            taken += self.settle()?.taken;
        }
        Ok(taken)
    }

    fn take_in_own(&mut self) -> heed::Result<usize> {
        if self.log.entries.fit_a_note() {
            return Ok(0);
        }
        let before = self.end()?.last - self.log.entries.count();
        let own = (before + 1..).zip(self.log.entries.iter());
        let mut taken = 0;
        for (sequence, entry) in own.skip(self.log.taken) {
            log::put(&mut self.txn, self.tree, sequence, entry)?;
            taken += 1;
        }
        self.log.taken += taken;
        Ok(taken)
    }

    /// How many earlier transactions there are whose notes are not settled.
    pub(super) fn unsettled(&mut self) -> heed::Result<u64> {
        Ok(self.transaction() - 1 - self.end()?.settled)
    }

    /// Settles the oldest notes that are not: has the tree take in the entries that stand for
    /// records, or removes those if they have ended.
    pub(super) fn settle(&mut self) -> heed::Result<Settled> {
        let (end, unsettled) = (self.end()?, self.unsettled()?);
        let until = end.settled + unsettled.min(SETTLED_AT_ONCE);
        let notes = self.notes(end.settled + 1, until)?;
        let mut settled = Settled::default();
        for note in notes.iter() {
            for (sequence, entry) in note.entries() {
                self.settle_entry(sequence, entry, &mut settled)?;
            }
        }
        let settled_last = notes.iter().last().map_or(end.settled_last, |note| note.end().last);
        self.log.end = Some(End { settled: until, settled_last, ..end });
        Ok(settled)
    }

    /// Removes the records that have ended of those that are only noted; says how many those were.
    /// The tree takes in nothing.
    pub(super) fn remove_ended_noted(&mut self) -> heed::Result<usize> {
        let (settled, now) = (self.end()?.settled, self.now);
        let mut removed = 0;
        for note in self.notes(settled + 1, self.transaction() - 1)?.iter() {
            for (sequence, entry) in note.entries() {
                let entry = LogEntry::decode(entry);
                if entry.stored.is_some_and(|stored| stored.ends <= now)
                    && let Some((key, _)) = log::record_of(&self.txn, self.tree, sequence, &entry)?
                {
                    self.remove_record(&key)?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    /// Settles the oldest note that is not, by removing its records; says how many those were. The
    /// tree takes in nothing.
    pub(super) fn remove_oldest_noted(&mut self) -> heed::Result<usize> {
        let end = self.end()?;
        let mut removed = 0;
        for note in self.notes(end.settled + 1, end.settled + 1)?.iter() {
            for (sequence, entry) in note.entries() {
                let entry = LogEntry::decode(entry);
                if let Some((key, _)) = log::record_of(&self.txn, self.tree, sequence, &entry)? {
                    self.remove_record(&key)?;
                    removed += 1;
                }
            }
            let (settled, settled_last) = (end.settled + 1, note.end().last);
            self.log.end = Some(End { settled, settled_last, ..end });
        }
        Ok(removed)
    }

    fn notes(&self, first: u64, last: u64) -> heed::Result<Notes> {
        Ok(self.opening.tail.read(first, last).ok_or(MdbError::Corrupted)?)
    }

    fn settle_entry(
        &mut self,
        sequence: u64,
        bytes: &[u8],
        settled: &mut Settled,
    ) -> heed::Result<()> {
        let record = log::record_of(&self.txn, self.tree, sequence, &LogEntry::decode(bytes))?;
        match record {
            None => {} // spent
            Some((key, ends)) if ends <= self.now => {
                self.remove_record(&key)?;
                settled.ended += 1;
            }
            Some(_) => {
                log::put(&mut self.txn, self.tree, sequence, bytes)?;
                settled.taken += 1;
            }
        }
        Ok(())
    }

    /// Writes the note of the transaction.
    pub(super) fn note(&mut self) -> heed::Result<End> {
        self.take_in()?;
        let (end, transaction) = (self.end()?, self.transaction());
        self.opening.tail.write(transaction, end, &self.log.entries);
        Ok(end)
    }

    pub(super) fn commit(mut self) -> heed::Result<Written> {
        let (end, transaction) = (self.note()?, self.transaction());
        self.txn.commit()?;
        Ok(Written { transaction, entries: self.log.entries, end })
    }
}
