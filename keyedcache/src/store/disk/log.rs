//! The log: what was stored and changed, in that order.
//!
//! It serves two ends. Its last entries are what other processes are told (`ring.rs`). All of it is
//! the order in which the records were stored (`cull.rs`): an entry stands for a record that bears its
//! sequence, and is spent once there is none.
//!
//! - Each transaction appends; sequences begin at one and leave none out.
//! - The entries of the last transactions are noted beside the tree (`tail.rs`). The tree, at its end,
//!   has what still stood for a record when its note was settled, and those of transactions that
//!   had more than a note has room for, some of which may be later than what is not settled.
//! - Storing leaves the record's former entry where it is. Spent entries are removed from the tree by
//!   those who walk it, as more are added.

use std::ops::Bound::{Excluded, Unbounded};

use heed::{MdbError, PutFlags, RoTxn, RwTxn};

use super::environment::Tree;
use super::layout::{self, Change, EntryKey, LogEntry};
use super::reader;
use super::tail::{End, Note, Tail};
use crate::clock::Moment;
use crate::store::StoredKey;

/// How many of the last entries are kept at most, if they are in the tree, spent or not.
const KEPT: u64 = 4096;

/// How many of the last entries are kept, if they are in the tree, spent or not: no more than fill an
/// eighth of the store.
pub(super) fn kept(size_limit: u64) -> u64 {
    (size_limit / 8 / LogEntry::LONGEST).min(KEPT)
}

/// Has the tree take in an entry.
pub(super) fn put(
    txn: &mut RwTxn<'_>,
    tree: Tree,
    sequence: u64,
    entry: &[u8],
) -> heed::Result<()> {
    let key = EntryKey::log(sequence);
    match tree.put_with_flags(txn, PutFlags::APPEND, key.as_bytes(), entry) {
        // Later ones were too many for their notes.
        Err(heed::Error::Mdb(MdbError::KeyExist)) => tree.put(txn, key.as_bytes(), entry),
        put => put,
    }
}

/// What has been changed up to a moment.
pub(super) struct News {
    /// The last transaction that is told.
    pub(super) transaction: u64,
    /// Where the log ended after that, if that is known.
    pub(super) end: Option<End>,
    pub(super) changes: Vec<Change>,
}

/// What has been changed after the transaction `told`; [`Change::Everything`] if there are no longer
/// notes of all.
pub(super) fn news(snapshot: &RoTxn<'_>, tree: Tree, tail: &Tail, told: u64) -> heed::Result<News> {
    let transaction = snapshot.id() as u64;
    let mut news = News { transaction, end: None, changes: Vec::new() };
    let Some(notes) = tail.read(told + 1, transaction) else {
        news.changes.push(Change::Everything);
        return Ok(news);
    };
    for note in notes.iter() {
        if note.is_overfull() {
            news.changes.extend(overfull(snapshot, tree, note)?);
        } else {
            news.changes.extend(note.entries().map(|(_, entry)| Change::decode(entry)));
        }
        news.end = Some(note.end());
    }
    Ok(news)
}

/// The changes of a transaction whose entries are in the tree; some may have been removed since.
fn overfull(snapshot: &RoTxn<'_>, tree: Tree, note: Note<'_>) -> heed::Result<Vec<Change>> {
    let (mut last, mut changes) = (note.before(), Vec::new());
    for entry in after(snapshot, tree, last)? {
        let (sequence, entry) = entry?;
        if sequence != last + 1 {
            break;
        }
        changes.push(entry.change);
        last = sequence;
        if last == note.end().last {
            return Ok(changes);
        }
    }
    Ok(vec![Change::Everything])
}

/// The entries after one, in order, with their sequences.
pub(super) fn after<'t>(
    snapshot: &'t RoTxn<'_>,
    tree: Tree,
    sequence: u64,
) -> heed::Result<impl Iterator<Item = heed::Result<(u64, LogEntry<'t>)>> + 't> {
    let start = EntryKey::log(sequence);
    let entries = tree.range(snapshot, &(Excluded(start.as_bytes()), Unbounded))?;
    Ok(entries.map(|entry| {
        let (key, value) = entry?;
        Ok((layout::sequence_of(key).unwrap_or(u64::MAX), LogEntry::decode(value)))
    }))
}

/// An entry, and what it stands for.
pub(super) struct Place {
    pub(super) sequence: u64,
    /// Its record, and when that ends; `None` if it is spent.
    pub(super) record: Option<(StoredKey, Moment)>,
}

/// Some of the places after one.
pub(super) struct Stretch {
    pub(super) places: Vec<Place>,
    /// Where the next one begins; zero at the end of the log.
    pub(super) next: u64,
}

/// Looks at `count` entries after one, and returns the places of those that are `wanted`.
pub(super) fn stretch(
    snapshot: &RoTxn<'_>,
    tree: Tree,
    start: u64,
    count: usize,
    wanted: impl Fn(&LogEntry<'_>) -> bool,
) -> heed::Result<Stretch> {
    let (mut places, mut next, mut looked_at) = (Vec::new(), 0, 0);
    for entry in after(snapshot, tree, start)?.take(count) {
        let (sequence, entry) = entry?;
        (next, looked_at) = (sequence, looked_at + 1);
        if wanted(&entry) {
            places.push(Place { sequence, record: record_of(snapshot, tree, sequence, &entry)? });
        }
    }
    Ok(Stretch { places, next: if looked_at < count { 0 } else { next } })
}

/// The record that an entry stands for, and when that ends; `None` if it is spent.
pub(super) fn record_of(
    snapshot: &RoTxn<'_>,
    tree: Tree,
    sequence: u64,
    entry: &LogEntry<'_>,
) -> heed::Result<Option<(StoredKey, Moment)>> {
    let Some(stored) = entry.stored else {
        return Ok(None);
    };
    let record = reader::entry(snapshot, tree, stored.text)?;
    let record = record.filter(|record| record.sequence == sequence);
    Ok(record.map(|record| (StoredKey::new(stored.text), record.ends)))
}
