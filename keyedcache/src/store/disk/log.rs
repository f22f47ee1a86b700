//! The log: what was stored and changed, in that order, at the end of the tree.
//!
//! It serves two ends. Its last entries, [`kept`] of them, are what other processes are told
//! (`ring.rs`). All of it is the order in which the records were stored (`cull.rs`): an entry stands
//! for a record that bears its sequence, and is spent once there is none.
//!
//! - Each transaction appends; sequences begin at one and leave none out.
//! - Storing leaves the record's former entry where it is. Spent entries are removed by those who
//!   walk the log, once it has grown by [`kept`] entries since.

use std::ops::Bound::{Excluded, Unbounded};

use heed::{PutFlags, RoTxn, RwTxn};

use super::environment::Tree;
use super::layout::{self, EntryKey, LogEntry};
use super::reader;
use crate::clock::Moment;
use crate::store::StoredKey;

/// How many of the last entries are kept at most, spent or not.
const KEPT: u64 = 4096;

/// How many of the last entries are kept, spent or not: no more than fill an eighth of the store.
pub(super) fn kept(size_limit: u64) -> u64 {
    (size_limit / 8 / LogEntry::LONGEST).min(KEPT)
}

/// The sequence of the last entry; zero if there is none.
pub(super) fn last(snapshot: &RoTxn<'_>, tree: Tree) -> heed::Result<u64> {
    let last = tree.last(snapshot)?;
    Ok(last.and_then(|(key, _)| layout::sequence_of(key)).unwrap_or(0))
}

/// Writes the entry that comes after all others.
pub(super) fn append(
    txn: &mut RwTxn<'_>,
    tree: Tree,
    sequence: u64,
    entry: LogEntry<'_>,
) -> heed::Result<()> {
    let key = EntryKey::log(sequence);
    entry.encode(|value| tree.put_with_flags(txn, PutFlags::APPEND, key.as_bytes(), value))
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

fn record_of(
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
