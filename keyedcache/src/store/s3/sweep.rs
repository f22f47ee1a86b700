//! Going through all objects of a prefix, page by page: to list, to clear, to remove what has ended.
//!
//! A page is a thousand objects, and nothing is kept of one when the next is read. What size and time
//! of an object tell is believed; of the others the head is read.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::body;
use super::client::{ETag, Got, Listed};
use super::fault::Outcome;
use super::inner::Inner;
use super::name::Named;
use super::place::Place;
use super::step::{IfUnsure, Next};
use super::telltale::{self, Telltale};
use crate::error::Error;
use crate::store::{Page, StoredKey};

/// As many as S3 lists and deletes at once.
const PAGE: usize = 1_000;

/// How many objects are deleted at once, by what a server knows: whether each can have a condition, and
/// whether the request is checked by MD5, as it has always been, or by what came later.
///
/// Without conditions a record saved just now may go too, which costs computing it again.
pub(super) const WAYS: [Way; 3] = [
    Way { is_conditional: true, by_md5: false },
    Way { is_conditional: true, by_md5: true },
    Way { is_conditional: false, by_md5: true },
];

/// One of [`WAYS`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    is_conditional: bool,
    by_md5: bool,
}

/// How far a sweep has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3Sweep {
    /// How many objects it has come by.
    pub seen: usize,
    /// How many of them it has removed.
    pub removed: usize,
}

/// What a sweep removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removes {
    /// Every record, and what has ended.
    All,
    /// What has ended.
    Ended,
}

/// An object of ours, as far as a listing and its head tell.
struct Told {
    key: StoredKey,
    name: String,
    etag: ETag,
    holds: Holds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Record,
    RecordAndMore,
    Nothing,
    /// No record, but a lease or a marker.
    Other,
}

impl Told {
    fn has_record(&self) -> bool {
        matches!(self.holds, Holds::Record | Holds::RecordAndMore)
    }
}

impl Inner {
    /// One page of the keys of records that begin so.
    pub(super) async fn scan(
        self: Arc<Self>,
        prefix: String,
        from: Option<String>,
        limit: usize,
    ) -> Result<Page, Error> {
        let (told, next) = self.page(&prefix, from.as_deref(), limit.min(PAGE)).await?;
        let keys = told.into_iter().filter(Told::has_record).map(|told| told.key).collect();
        Ok(Page { keys, next })
    }

    /// Removes what is to be removed of all keys that begin so; says how many records that were not
    /// over went. Tells `progress` after each page.
    pub(super) async fn sweep(
        self: Arc<Self>,
        prefix: String,
        removes: Removes,
        mut progress: impl FnMut(S3Sweep) + Send,
    ) -> Result<usize, Error> {
        let (mut sweep, mut records) = (S3Sweep::default(), 0);
        let mut from = None;
        let heeds = self.heeds_conditions(&mut self.patience()).await?;
        // Else the generation that a key bears of its own goes with its record.
        let page = if heeds { PAGE } else { PAGE / 2 };
        loop {
            let (told, next) = self.page(&prefix, from.as_deref(), page).await?;
            sweep.seen += told.len();
            let (mut together, mut alone) = (Vec::new(), Vec::new());
            for told in told {
                match told.holds {
                    Holds::Nothing => together.push(told),
                    Holds::Record if removes == Removes::All => together.push(told),
                    Holds::RecordAndMore if removes == Removes::All => alone.push(told.key),
                    _ => {}
                }
            }
            let (gone, live) = self.remove_together(together).await?;
            let dropped = Arc::clone(&self).side_by_side(alone, drop_record).await?;
            let dropped = dropped.into_iter().filter(|dropped| *dropped).count();
            sweep.removed += gone + dropped;
            records += live + dropped;
            progress(sweep);
            match next {
                Some(next) => from = Some(next),
                None => return Ok(records),
            }
        }
    }

    /// Removes objects, each if it is still the one that was seen; how many went, and how many of
    /// them held a record that was not over.
    async fn remove_together(&self, objects: Vec<Told>) -> Result<(usize, usize), Error> {
        if objects.is_empty() {
            return Ok((0, 0));
        }
        let mut patience = self.patience();
        let mut way = self.deletes_by.load(Ordering::Relaxed);
        loop {
            let Way { is_conditional, by_md5 } = WAYS[way];
            let if_seen = |told: &Told| is_conditional.then(|| Arc::clone(&told.etag));
            let mut named: Vec<_> =
                objects.iter().map(|told| (told.name.clone(), if_seen(told))).collect();
            if self.is_unheeded() {
                let generation = |told: &Told| (self.names.of_key_generation(&told.key), None);
                named.extend(objects.iter().map(generation));
            }
            match self.bucket.delete_many(&named, by_md5).await {
                Ok(failed) => {
                    self.deletes_by.store(way, Ordering::Relaxed);
                    let gone = || objects.iter().filter(|told| !failed.contains(&told.name));
                    for told in gone() {
                        self.memory.take(&told.key);
                    }
                    return Ok((gone().count(), gone().filter(|told| told.has_record()).count()));
                }
                Err(fault)
                    if matches!(fault.outcome, Outcome::Refused | Outcome::Unsupported)
                        && way + 1 < WAYS.len() =>
                {
                    way += 1;
                }
                Err(fault) => patience.again(fault).await?,
            }
        }
    }

    /// One page of our objects whose keys begin so.
    async fn page(
        self: &Arc<Self>,
        prefix: &str,
        from: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Told>, Option<String>), Error> {
        let listed = self.names.of_prefix(prefix);
        let mut patience = self.patience();
        let listing = loop {
            match self.bucket.list(&listed, from, limit).await {
                Ok(listing) => break listing,
                Err(fault) => patience.again(fault).await?,
            }
        };
        let now = self.bucket.clock.now();
        let (mut told, mut unsure) = (Vec::with_capacity(listing.objects.len()), Vec::new());
        for object in listing.objects {
            let tale = telltale::tell(object.size, object.written, now);
            match (self.names.read(&object.name), tale) {
                (Named::Foreign, _) => {}
                (Named::Digest, _) | (Named::Key(_), Telltale::Unsure) => unsure.push(object),
                (Named::Key(key), tale) => {
                    let holds = if tale == Telltale::Live { Holds::Record } else { Holds::Nothing };
                    told.push(Told { key, name: object.name, etag: object.etag, holds });
                }
            }
        }
        let asked = Arc::clone(self).side_by_side(unsure, ask).await?;
        told.extend(asked.into_iter().flatten());
        told.retain(|told| told.key.as_str().starts_with(prefix));
        Ok((told, listing.next))
    }
}

/// What the head of an object says; `None` if it is gone, or none of ours.
async fn ask(inner: Arc<Inner>, object: Listed) -> Result<Option<Told>, Error> {
    let found = inner.get(&object.name, Some(body::HEAD_ROOM), None, &mut inner.patience()).await?;
    let Got::Found { etag, body } = found else { return Ok(None) };
    let Some(head) = body::read_head(&body) else { return Ok(None) };
    let place = head.place.at(inner.bucket.clock.now());
    if inner.names.of_key(&place.key) != object.name {
        return Ok(None);
    }
    let holds = match (&place.record, place.is_empty()) {
        (_, true) => Holds::Nothing,
        (None, false) => Holds::Other,
        (Some(_), _) if place.record_alone().is_some() => Holds::Record,
        (Some(_), _) => Holds::RecordAndMore,
    };
    Ok(Some(Told { key: place.key, name: object.name, etag, holds }))
}

/// Drops the record of a key and leaves what stands beside it; whether there was one.
async fn drop_record(inner: Arc<Inner>, key: StoredKey) -> Result<bool, Error> {
    let _turn = inner.turns.take(&key).await;
    inner.memory.take(&key);
    let dropped = inner.step(&key, None, IfUnsure::DecideAnew, |place, _| {
        let had_record = place.record.is_some();
        let rest = Place { record: None, ..place };
        Ok(match (had_record, rest.is_empty()) {
            (false, _) => Next::Stop(false),
            (true, true) => Next::Remove(true),
            (true, false) => Next::Write(rest, true),
        })
    });
    Ok(dropped.await?.answer)
}
