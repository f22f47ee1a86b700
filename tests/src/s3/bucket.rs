//! The objects, under one lock: whatever a request asks for takes place as a whole or not at all.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use keyedcache::{Clock, Moment};
use md5::{Digest as _, Md5};
use s3s::dto::LifecycleRule;
use s3s::{S3ErrorCode, S3Result, s3_error};

/// An object.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its contents.
    pub body: Bytes,
    /// The MD5 of its contents, as AWS has it.
    pub etag: String,
    /// When it was written, by the server's clock.
    pub written: Moment,
}

/// What must be so for a request to take place.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    /// Nothing is there.
    pub(super) absent: bool,
    /// This is there.
    pub(super) same: Option<String>,
}

#[derive(Debug)]
pub(super) struct Bucket {
    objects: Mutex<BTreeMap<String, Stored>>,
    pub(super) lifecycle: Mutex<Option<Vec<LifecycleRule>>>,
    clock: Clock,
    ahead: AtomicI64,
    heeds: AtomicBool,
    pub(super) wants_md5: AtomicBool,
    lost: AtomicBool,
}

impl Bucket {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            objects: Mutex::default(),
            lifecycle: Mutex::default(),
            clock,
            ahead: AtomicI64::new(0),
            heeds: AtomicBool::new(true),
            wants_md5: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        }
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Moment {
        let ahead = self.ahead.load(Ordering::SeqCst).saturating_mul(1_000_000);
        Moment::from_micros(self.clock.now().as_micros().saturating_add_signed(ahead))
    }

    pub(super) fn heed_conditions(&self, heed: bool) {
        self.heeds.store(heed, Ordering::SeqCst);
    }

    pub(super) fn lose(&self, lost: bool) {
        self.lost.store(lost, Ordering::SeqCst);
    }

    pub(super) fn shift_clock(&self, seconds: i64) {
        self.ahead.store(seconds, Ordering::SeqCst);
    }

    /// An error if it is gone, or another one is asked for.
    pub(super) fn is_here(&self, bucket: &str) -> S3Result<()> {
        if bucket != super::BUCKET || self.lost.load(Ordering::SeqCst) {
            return Err(s3_error!(NoSuchBucket));
        }
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<Stored> {
        self.objects().get(name).cloned()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.objects().keys().cloned().collect()
    }

    pub(super) fn plant(&self, names: impl Iterator<Item = String>, body: &Bytes, ago: Duration) {
        let written = self.now().minus(ago);
        let stored = Stored { etag: etag(body), body: body.clone(), written };
        self.objects().extend(names.map(|name| (name, stored.clone())));
    }

    pub(super) fn put(&self, name: &str, body: Bytes, condition: &Condition) -> S3Result<String> {
        let stored = Stored { etag: etag(&body), body, written: self.now() };
        let etag = stored.etag.clone();
        let mut objects = self.objects();
        self.check(objects.get(name), condition)?;
        objects.insert(name.to_owned(), stored);
        Ok(etag)
    }

    pub(super) fn delete(&self, name: &str, condition: &Condition) -> S3Result<()> {
        let mut objects = self.objects();
        self.check(objects.get(name), condition)?;
        objects.remove(name);
        Ok(())
    }

    fn check(&self, found: Option<&Stored>, condition: &Condition) -> S3Result<()> {
        if !self.heeds.load(Ordering::SeqCst) {
            return Ok(());
        }
        let code = match (found, &condition.same) {
            (Some(_), _) if condition.absent => S3ErrorCode::PreconditionFailed,
            (None, Some(_)) => S3ErrorCode::NoSuchKey,
            (Some(found), Some(same)) if found.etag != *same => S3ErrorCode::PreconditionFailed,
            _ => return Ok(()),
        };
        Err(s3s::S3Error::new(code))
    }

    /// Up to `most` objects that begin so, after this name, and whether there are more.
    pub(super) fn list(
        &self,
        prefix: &str,
        after: &str,
        most: usize,
    ) -> (Vec<(String, Stored)>, bool) {
        let objects = self.objects();
        let from = if after > prefix { Bound::Excluded(after) } else { Bound::Included(prefix) };
        let mut found: Vec<_> = objects
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter(|(name, _)| name.as_str() > after)
            .take(most + 1)
            .map(|(name, stored)| (name.clone(), stored.clone()))
            .collect();
        let is_cut = found.len() > most;
        found.truncate(most);
        (found, is_cut)
    }
}

fn etag(body: &[u8]) -> String {
    Md5::digest(body).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

pub(super) fn system_time(moment: Moment) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(moment.as_micros())
}
