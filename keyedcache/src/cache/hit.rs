//! The short way of a hit: a fresh record is read where the store keeps it, without a future, and of a
//! run of bytes nothing is copied but the value.
//!
//! Whatever is not a hit is found again by the long way, which counts it and says what it is.

use bytes::Bytes;

use crate::clock::Moment;
use crate::codec::Coding;
use crate::error::Error;
use crate::generation;
use crate::policy::{Freshness, Times, judge};
use crate::record::{Generation, InPlace};

use super::look::head_start_of;
use super::plan::Plan;

/// What the store showed.
enum Shown<T> {
    Value(T),
    /// To be decoded when the store is done, since that may run anybody's code.
    Payload(Coding, Bytes),
}

impl Plan {
    /// The value under the stored key of this text, and until when it is fresh by the store's clock,
    /// if the store shows it and it is. `early` is the policy's where there is somebody to refresh it.
    pub(crate) fn hit<T: 'static>(
        &self,
        key: &str,
        early: Option<f64>,
        decode: impl FnOnce(Coding, &Bytes) -> Result<T, Error>,
    ) -> Option<(T, Moment)> {
        let core = &self.core;
        if !core.is_enabled() {
            return None;
        }
        let mut shown = None;
        core.store.show(key, &self.scopes, &mut |record, generations| {
            shown = self.fresh(record, generations, early).map(|(record, until)| {
                let coding = Coding { codec: record.codec, compressor: record.compressor };
                let value = coding.copied(record.payload).map(Shown::Value);
                let copy = || Shown::Payload(coding, Bytes::copy_from_slice(record.payload));
                (value.unwrap_or_else(copy), until)
            });
        });
        let (shown, until) = shown?;
        let value = match shown {
            Shown::Value(value) => value,
            Shown::Payload(coding, payload) => decode(coding, &payload).ok()?,
        };
        core.counters.store_hits.count();
        Some((value, until))
    }

    /// The record, if it is whole and fresh, and until when it is.
    fn fresh<'r>(
        &self,
        record: &'r [u8],
        generations: &[Option<Generation>],
        early: Option<f64>,
    ) -> Option<(InPlace<'r>, Moment)> {
        let record = InPlace::open(record).ok()?;
        if !record.fingerprint.agrees_with(self.fingerprint) {
            return None;
        }
        let standing = generation::standing(record.stamp(), &self.scopes, generations);
        let times = Times {
            created: record.created,
            fresh_for: record.fresh_for,
            stale_for: record.stale_for,
            stale_if_error: record.stale_if_error,
            cost: record.cost,
        };
        let head_start = || head_start_of(record.cost, early);
        let judged = judge(&times, standing, self.core.store.now(), head_start());
        let until = record.fresh_until().minus(head_start());
        (judged.freshness == Freshness::Fresh).then_some((record, until))
    }
}
