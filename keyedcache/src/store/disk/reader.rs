//! What stands in the tree, read within a transaction of the caller's, and copied out.

use bytes::Bytes;
use heed::RoTxn;

use super::environment::Tree;
use super::layout::{self, EntryKey, LEASES, LeaseEntry, RECORDS, RecordEntry};
use crate::clock::Moment;
use crate::record::{Generation, Record, ScopeId};
use crate::store::{Page, Slot, StoredKey};

/// How many entries one page of a scan looks at for each key that it is to return: those whose time
/// is over are looked at and not returned.
const LOOKED_AT: usize = 8;

/// The record under the key of this text, whether or not its time is over.
pub(super) fn entry<'t>(
    snapshot: &'t RoTxn<'_>,
    tree: Tree,
    text: &str,
) -> heed::Result<Option<RecordEntry<'t>>> {
    let Some(key) = EntryKey::text(RECORDS, text) else {
        return Ok(None);
    };
    Ok(tree.get(snapshot, key.as_bytes())?.and_then(RecordEntry::decode))
}

/// The record under a key, if its time is not over.
pub(super) fn record<'t>(
    snapshot: &'t RoTxn<'_>,
    tree: Tree,
    key: &StoredKey,
    now: Moment,
) -> heed::Result<Option<RecordEntry<'t>>> {
    Ok(entry(snapshot, tree, key.as_str())?.filter(|entry| entry.ends > now))
}

/// The lease of a key, or what is remembered of one.
pub(super) fn lease(
    snapshot: &RoTxn<'_>,
    tree: Tree,
    key: &StoredKey,
) -> heed::Result<Option<LeaseEntry>> {
    let Some(key) = EntryKey::text(LEASES, key.as_str()) else {
        return Ok(None);
    };
    Ok(tree.get(snapshot, key.as_bytes())?.and_then(LeaseEntry::decode))
}

/// All that stands under a key. The owner of the lease is not probed.
pub(super) fn slot(
    snapshot: &RoTxn<'_>,
    tree: Tree,
    key: &StoredKey,
    now: Moment,
) -> heed::Result<Slot> {
    let record = record(snapshot, tree, key, now)?.map(copy);
    let lease = lease(snapshot, tree, key)?;
    Ok(Slot {
        record,
        lease: lease.filter(|lease| lease.stands(now)).map(|lease| lease.token),
        declined: lease.is_some_and(|lease| lease.is_declined(now)),
    })
}

/// Whether there are any leases at all, or memories of some.
pub(super) fn has_leases(snapshot: &RoTxn<'_>, tree: Tree) -> heed::Result<bool> {
    let first = tree.get_greater_than_or_equal_to(snapshot, &[LEASES])?;
    Ok(first.is_some_and(|(key, _)| key.first() == Some(&LEASES)))
}

pub(super) fn copy(entry: RecordEntry<'_>) -> Record {
    Record::from_bytes(Bytes::copy_from_slice(entry.record))
}

/// The generation of a scope.
pub(super) fn generation(
    snapshot: &RoTxn<'_>,
    tree: Tree,
    scope: ScopeId,
) -> heed::Result<Option<Generation>> {
    let key = EntryKey::generation(scope.0);
    Ok(tree.get(snapshot, key.as_bytes())?.and_then(layout::decode_generation))
}

/// A page of the keys that start with `prefix`, in order, after `from`.
pub(super) fn page(
    snapshot: &RoTxn<'_>,
    tree: Tree,
    prefix: &str,
    from: Option<&str>,
    limit: usize,
    now: Moment,
) -> heed::Result<Page> {
    let mut page = Page::default();
    let mut left = limit.saturating_mul(LOOKED_AT);
    for entry in texts(snapshot, tree, prefix, from)? {
        let (text, entry) = entry?;
        if entry.is_some_and(|entry| entry.ends > now) {
            page.keys.push(StoredKey::new(text));
        }
        left -= 1;
        if page.keys.len() >= limit || left == 0 {
            page.next = Some(text.to_owned());
            break;
        }
    }
    Ok(page)
}

type Text<'t> = heed::Result<(&'t str, Option<RecordEntry<'t>>)>;

/// The records whose keys start with `prefix`, in order, after `from`.
pub(super) fn texts<'t>(
    snapshot: &'t RoTxn<'_>,
    tree: Tree,
    prefix: &str,
    from: Option<&str>,
) -> heed::Result<impl Iterator<Item = Text<'t>> + 't> {
    use std::ops::Bound::{Excluded, Included, Unbounded};

    // A prefix that is longer than any key has none.
    let prefix_key = EntryKey::text(RECORDS, prefix);
    let is_possible = prefix_key.is_some();
    let from = from.filter(|from| *from >= prefix);
    let start = match from.and_then(|from| EntryKey::text(RECORDS, from)) {
        Some(from) => Excluded(from.as_bytes().to_vec()),
        None => Included(prefix_key.map_or_else(Vec::new, |key| key.as_bytes().to_vec())),
    };
    let bounds = (start.as_ref().map(Vec::as_slice), Unbounded);
    let prefix = prefix.to_owned();
    Ok(tree
        .range(snapshot, &bounds)?
        .take_while(move |entry| match entry {
            Ok((key, _)) => {
                is_possible && text_of(key).is_some_and(|text| text.starts_with(&prefix))
            }
            Err(_) => true,
        })
        .map(|entry| {
            let (key, value) = entry?;
            Ok((text_of(key).unwrap_or_default(), RecordEntry::decode(value)))
        }))
}

/// The text in the key of a record; `None` of other entries.
fn text_of(key: &[u8]) -> Option<&str> {
    let text = key.strip_prefix(&[RECORDS])?;
    std::str::from_utf8(text).ok()
}
