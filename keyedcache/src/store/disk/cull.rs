//! Room: what is removed when the store is over its limit, and what is refused when that fails.
//!
//! - What has ended goes first, then what was stored least recently; each transaction that stores
//!   removes a bounded number, so no single save pays for all.
//! - The map is larger than the limit, and the difference is kept for what removes: deletions and
//!   invalidations copy pages too. A reader that stays in its transaction keeps freed pages from
//!   being used again, so the file grows although the store does not; once it has grown into what is
//!   kept back, only what removes is let in until a transaction gets by without growing it.

use std::time::{Duration, Instant};

use heed::RoTxn;

use super::environment::Tree;
use super::layout::{ENDS, EntryKey, LEASES, LeaseEntry, STORED, moment_of_end, sequence_of};
use super::opening::Opening;
use super::reader;
use super::writing::Writing;
use crate::store::StoredKey;

/// How many records one transaction removes to get below the limit.
const CULLED_AT_ONCE: usize = 256;
/// How many that have ended it removes besides.
const SWEPT_AT_ONCE: usize = 8;
/// How many leases it looks at for some that are over.
const LEASES_AT_ONCE: usize = 8;
/// How many records are removed at most when a transaction has found no room.
const CULLED_FOR_ROOM: usize = 4096;

/// How often room is looked for while there is none: ever less often, since looking uses some up.
const RETRY_FIRST: Duration = Duration::from_millis(10);
const RETRY_LATE: Duration = Duration::from_secs(5);
const RETRY_LAST: Duration = Duration::from_mins(1);

/// What the writer knows of the room that is left.
#[derive(Debug)]
pub(super) struct Room {
    limit_pages: u64,
    map_pages: u64,
    /// Pages at the end of the map that are kept for what removes.
    kept: u64,
    page: u64,
    /// Set while the file grows into what is kept back: when to look for room again, and how long
    /// after that.
    retry: Option<(Instant, Duration)>,
    /// Where the sweep of the leases goes on.
    lease_cursor: Vec<u8>,
}

impl Room {
    pub(super) fn new(size_limit: u64, map_size: u64, page: u64) -> Self {
        let (limit_pages, map_pages) = (size_limit / page, map_size / page);
        Self {
            limit_pages,
            map_pages,
            kept: map_pages.saturating_sub(limit_pages),
            page,
            retry: None,
            lease_cursor: Vec::new(),
        }
    }

    fn is_low(&self, last_page: u64) -> bool {
        self.map_pages.saturating_sub(last_page) <= self.kept
    }

    /// Whether what needs room may be tried.
    pub(super) fn admits(&self, opening: &Opening) -> bool {
        self.retry.is_none() || !self.is_low(last_page(opening))
    }

    /// Whether it is time to see if there is room again, at the cost of a few of the pages kept.
    pub(super) fn may_probe(&self) -> bool {
        self.retry.is_some_and(|(at, _)| at <= Instant::now())
    }

    /// Dirties the fewest pages a transaction can, so that [`learn`](Self::learn) sees whether the
    /// file grows.
    pub(super) fn probe(writing: &mut Writing<'_>) -> heed::Result<()> {
        let key = EntryKey::changes(writing.transaction());
        writing.tree.put(&mut writing.txn, key.as_bytes(), &[])
    }

    /// Learns from a transaction that has been committed.
    pub(super) fn learn(&mut self, before: u64, opening: &Opening) {
        let after = last_page(opening);
        if !(after > before && self.is_low(after)) {
            self.retry = None;
            return;
        }
        let is_nearly_gone = self.map_pages.saturating_sub(after) < self.kept / 4;
        let longest = if is_nearly_gone { RETRY_LAST } else { RETRY_LATE };
        let pause = match self.retry {
            None => Duration::ZERO,
            Some((_, pause)) => (pause * 2).clamp(RETRY_FIRST, longest),
        };
        self.retry = Some((Instant::now() + pause, pause));
    }

    /// Removes what a storing transaction removes on its way.
    pub(super) fn cull(&mut self, writing: &mut Writing<'_>) -> heed::Result<()> {
        self.sweep_leases(writing)?;
        for _ in 0..SWEPT_AT_ONCE {
            if !remove_ended(writing)? {
                break;
            }
        }
        for _ in 0..CULLED_AT_ONCE {
            if pages(&writing.txn, writing.tree)? <= self.limit_pages || !remove_one(writing)? {
                break;
            }
        }
        Ok(())
    }

    /// Removes enough for `bytes`, or as much as one transaction can.
    pub(super) fn make(&self, writing: &mut Writing<'_>, bytes: u64) -> heed::Result<()> {
        let pages_now = pages(&writing.txn, writing.tree)?;
        let wanted = pages_now.saturating_sub(2 * bytes / self.page + 16);
        for _ in 0..CULLED_FOR_ROOM {
            if pages(&writing.txn, writing.tree)? <= wanted || !remove_one(writing)? {
                break;
            }
        }
        Ok(())
    }

    /// Removes some of the leases that are over: of keys that nobody has asked for since.
    fn sweep_leases(&mut self, writing: &mut Writing<'_>) -> heed::Result<()> {
        let now = writing.now;
        if self.lease_cursor.is_empty() {
            self.lease_cursor.push(LEASES);
        }
        let after = std::ops::Bound::Excluded(self.lease_cursor.as_slice());
        let end = [LEASES + 1];
        let bounds = (after, std::ops::Bound::Excluded(end.as_slice()));
        let mut over = Vec::new();
        let mut last = Vec::new();
        for entry in writing.tree.range(&writing.txn, &bounds)?.take(LEASES_AT_ONCE) {
            let (key, value) = entry?;
            let lease = LeaseEntry::decode(value);
            if !lease.is_some_and(|lease| lease.stands(now) || lease.is_declined(now)) {
                over.push(key.to_vec());
            }
            last = key.to_vec();
        }
        self.lease_cursor = last;
        for key in over {
            writing.tree.delete(&mut writing.txn, &key)?;
        }
        Ok(())
    }
}

/// The last page of the file that a transaction has used.
pub(super) fn last_page(opening: &Opening) -> u64 {
    opening.env.info().last_page_number as u64
}

/// How many pages hold something.
fn pages(snapshot: &RoTxn<'_>, tree: Tree) -> heed::Result<u64> {
    let stat = tree.stat(snapshot)?;
    Ok((stat.branch_pages + stat.leaf_pages + stat.overflow_pages) as u64)
}

/// Removes one record: one that has ended, or else the one stored least recently.
fn remove_one(writing: &mut Writing<'_>) -> heed::Result<bool> {
    Ok(remove_ended(writing)? || remove_first(writing, STORED)?)
}

/// Removes the record that ended first, if one has.
fn remove_ended(writing: &mut Writing<'_>) -> heed::Result<bool> {
    let first = first(writing, ENDS)?;
    let has_ended =
        first.and_then(|(key, _)| moment_of_end(&key)).is_some_and(|ends| ends <= writing.now);
    if !has_ended {
        return Ok(false);
    }
    remove_first(writing, ENDS)
}

type Place = (Vec<u8>, StoredKey);

/// The first place in one of the orders.
fn first(writing: &Writing<'_>, area: u8) -> heed::Result<Option<Place>> {
    let found = writing.tree.get_greater_than_or_equal_to(&writing.txn, &[area])?;
    Ok(found
        .filter(|(key, _)| key.first() == Some(&area))
        .map(|(key, text)| (key.to_vec(), StoredKey::new(String::from_utf8_lossy(text)))))
}

/// Removes the record at the first place of an order, and the place in any case.
fn remove_first(writing: &mut Writing<'_>, area: u8) -> heed::Result<bool> {
    let Some((place, key)) = first(writing, area)? else {
        return Ok(false);
    };
    let entry = reader::entry(&writing.txn, writing.tree, &key)?;
    if entry.is_some_and(|entry| Some(entry.sequence) == sequence_of(&place)) {
        writing.remove_record(&key)?;
    }
    writing.tree.delete(&mut writing.txn, &place)?;
    Ok(true)
}
