//! Room: what is removed when the store is over its limit, and what is refused when that fails.
//!
//! - What has ended goes first, then what was stored least recently. Both are found by walking the
//!   log in the tree: what makes that longer walks on a little and removes what has ended and what is
//!   spent, so it stays within about three times the records; what is short of room walks on while it
//!   finds records that have ended, or has not looked far, and then takes the oldest ones. Before
//!   either it has the tree take in what is only noted beside it.
//! - Each transaction removes a bounded number, so no single save pays for all.
//! - The map is larger than the limit, and the difference is kept for what removes: deletions and
//!   invalidations copy pages too. A reader that stays in its transaction keeps freed pages from
//!   being used again, so the file grows although the store does not; once it has grown into what is
//!   kept back, only what removes is let in until a transaction gets by without growing it.

use std::time::{Duration, Instant};

use heed::RoTxn;

use super::appending::SETTLED_AT_ONCE;
use super::environment::Tree;
use super::layout::{EntryKey, LEASES, LeaseEntry};
use super::log;
use super::opening::Opening;
use super::writing::Writing;
use crate::record::random_bytes;

/// How many records are removed at most: by a transaction on its caller's thread, by one of the
/// writer's, and by one that does nothing else, after another has found no room.
pub(super) const CULLED_HERE: usize = 16;
pub(super) const CULLED_AT_ONCE: usize = 256;
const CULLED_FOR_ROOM: usize = 4096;

/// After how many new entries of the log in the tree some of its places are looked at, and after how
/// many transactions some of the leases; and how many for two of those. Rarely and several at a time,
/// since they lie side by side; with three for two, the log comes to three times the records at most.
const SWEEP_EVERY: usize = 32;
const LOOKS_FOR_TWO: usize = 3;
/// How many entries what is short of room looks at for records that have ended: so many at a time, so
/// many in all while it finds none, and so many more for each transaction since.
const LOOKS_AT_ONCE: usize = 64;
const LOOKS_WHEN_SHORT: usize = 2048;
const LOOKS_REGAINED: usize = 16;
/// How many of the oldest entries are looked at in one go.
const OLDEST_AT_ONCE: usize = 8;

/// How often room is looked for while there is none: ever less often, since looking uses some up.
const RETRY_FIRST: Duration = Duration::from_millis(10);
const RETRY_LATE: Duration = Duration::from_secs(5);
const RETRY_LAST: Duration = Duration::from_mins(1);

/// What this process knows of the room that is left. Only who has the turn to write has it.
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
    /// Whether the last transaction that stored has left the store over its limit.
    is_over: bool,
    /// Where the sweep of the leases goes on.
    lease_cursor: Vec<u8>,
    /// Where the sweep of the log goes on. It begins anywhere: processes that write little and end
    /// would all look at the same beginning otherwise.
    sweep_cursor: Option<u64>,
    /// How many entries the tree has taken in since the last sweep.
    unswept: usize,
    /// How many transactions there have been since the last sweep of the leases.
    unswept_leases: usize,
    /// How many entries may be looked at for records that have ended, should room be short.
    looks: usize,
    /// No record is left whose entry comes up to here.
    culled: u64,
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
            is_over: false,
            lease_cursor: Vec::new(),
            sweep_cursor: None,
            unswept: 0,
            unswept_leases: 0,
            looks: LOOKS_WHEN_SHORT,
            culled: 0,
        }
    }

    /// Whether more is to be removed than a caller should do on its thread.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
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
        writing.tree.put(&mut writing.txn, EntryKey::probe().as_bytes(), &[])
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

    /// Forgets what a transaction that was aborted seemed to have done.
    pub(super) fn aborted(&mut self) {
        self.culled = 0;
    }

    /// Removes what a transaction removes on its way: a little of what is over and spent.
    pub(super) fn tidy(&mut self, writing: &mut Writing<'_>) -> heed::Result<()> {
        self.unswept += writing.take_in()?;
        self.unswept_leases += 1;
        if self.retry.is_some() {
            return Ok(());
        }
        if self.unswept_leases >= SWEEP_EVERY {
            let looks = std::mem::take(&mut self.unswept_leases) * LOOKS_FOR_TWO / 2;
            self.sweep_leases(writing, looks)?;
        }
        if self.unswept >= SWEEP_EVERY {
            let looks = std::mem::take(&mut self.unswept) * LOOKS_FOR_TWO / 2;
            self.sweep(writing, looks, false)?;
        }
        Ok(())
    }

    /// Gets the store below its limit, or nearer to it by `most` records.
    pub(super) fn cull(&mut self, writing: &mut Writing<'_>, most: usize) -> heed::Result<()> {
        self.looks = (self.looks + LOOKS_REGAINED).min(LOOKS_WHEN_SHORT);
        self.is_over = !self.shrink(writing, self.limit_pages, most, true)?;
        Ok(())
    }

    /// Removes enough for `bytes`, or as much as one transaction can. It adds nothing, since there may
    /// be no room for that either.
    pub(super) fn make(&mut self, writing: &mut Writing<'_>, bytes: u64) -> heed::Result<()> {
        let pages_now = pages(&writing.txn, writing.tree)?;
        let wanted = pages_now.saturating_sub(2 * bytes / self.page + 16);
        writing.remove_ended_noted()?;
        self.shrink(writing, wanted, CULLED_FOR_ROOM, false)?;
        Ok(())
    }

    /// Removes records until no more than `wanted` pages hold something, what has ended first; says
    /// whether that, or nothing left to remove, was reached within about `most` records. `settles` has
    /// the tree take in notes, to find those that have ended.
    fn shrink(
        &mut self,
        writing: &mut Writing<'_>,
        wanted: u64,
        most: usize,
        settles: bool,
    ) -> heed::Result<bool> {
        let mut removed = 0;
        while pages(&writing.txn, writing.tree)? > wanted && removed < most && self.looks > 0 {
            let ended = if settles && writing.unsettled()? >= SETTLED_AT_ONCE {
                self.settle(writing)?
            } else {
                self.sweep(writing, LOOKS_AT_ONCE, true)?
            };
            removed += ended;
            if ended == 0 {
                self.looks = self.looks.saturating_sub(LOOKS_AT_ONCE);
            }
        }
        while pages(&writing.txn, writing.tree)? > wanted {
            if removed >= most {
                return Ok(false);
            }
            let at_once = OLDEST_AT_ONCE.min(most - removed);
            if self.remove_oldest(writing, wanted, at_once)? {
                removed += at_once;
            } else if writing.unsettled()? > 0 {
                removed += writing.remove_oldest_noted()?;
            } else {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Settles some notes; says how many records had ended.
    fn settle(&mut self, writing: &mut Writing<'_>) -> heed::Result<usize> {
        let settled = writing.settle()?;
        self.unswept += settled.taken;
        Ok(settled.ended)
    }

    /// Walks on in the log and removes the records that have ended, and entries that are spent; says
    /// how many records that were. `is_for_ended` passes by whatever does not look like having
    /// ended, which spares looking at the records.
    fn sweep(
        &mut self,
        writing: &mut Writing<'_>,
        looks: usize,
        is_for_ended: bool,
    ) -> heed::Result<usize> {
        let now = writing.now;
        let start = match self.sweep_cursor {
            Some(start) => start,
            None => somewhere(writing.end()?.last),
        };
        let stretch = log::stretch(&writing.txn, writing.tree, start, looks, |entry| {
            !is_for_ended || entry.stored.is_some_and(|stored| stored.ends <= now)
        })?;
        self.sweep_cursor = Some(stretch.next);
        let mut ended = 0;
        for place in stretch.places {
            match place.record {
                Some((_, ends)) if ends > now => continue,
                Some((key, _)) => {
                    writing.remove_record(&key)?;
                    ended += 1;
                }
                None => {}
            }
            writing.forget(place.sequence)?;
        }
        Ok(ended)
    }

    /// Removes the records of the oldest entries, of which it looks at `count`; says whether there
    /// were any that are settled.
    fn remove_oldest(
        &mut self,
        writing: &mut Writing<'_>,
        wanted: u64,
        count: usize,
    ) -> heed::Result<bool> {
        // What comes after may be later than what is noted.
        let settled = writing.end()?.settled_last;
        let mut oldest = log::stretch(&writing.txn, writing.tree, self.culled, count, |_| true)?;
        oldest.places.retain(|place| place.sequence <= settled);
        let is_any = !oldest.places.is_empty();
        for place in oldest.places {
            if pages(&writing.txn, writing.tree)? <= wanted {
                break;
            }
            if let Some((key, _)) = place.record {
                writing.remove_record(&key)?;
            }
            writing.forget(place.sequence)?;
            self.culled = place.sequence;
        }
        Ok(is_any)
    }

    /// Removes some of the leases that are over: of keys that nobody has asked for since.
    fn sweep_leases(&mut self, writing: &mut Writing<'_>, looks: usize) -> heed::Result<()> {
        let now = writing.now;
        if self.lease_cursor.is_empty() {
            self.lease_cursor.push(LEASES);
        }
        let after = std::ops::Bound::Excluded(self.lease_cursor.as_slice());
        let end = [LEASES + 1];
        let bounds = (after, std::ops::Bound::Excluded(end.as_slice()));
        let mut over = Vec::new();
        let mut last = Vec::new();
        for entry in writing.tree.range(&writing.txn, &bounds)?.take(looks) {
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

/// A place in a log that ends with this sequence.
fn somewhere(last: u64) -> u64 {
    u64::from_le_bytes(random_bytes()) % (last + 1)
}
