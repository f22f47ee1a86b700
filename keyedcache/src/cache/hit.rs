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

#[cfg(test)]
#[cfg(feature = "disk")]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::cache::Cache;
    use crate::clock::Clock;
    use crate::codec::decode_coded;
    use crate::record::{Fingerprint, Record};
    use crate::runtime::wait;
    use crate::store::{DiskStore, Guard, Severity, StoredKey};
    use crate::{Key, cache_key};

    struct Fixture {
        _folder: tempfile::TempDir,
        clock: Clock,
        cache: Cache,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let clock = Clock::manual(Moment::from_micros(1_700_000_000_000_000));
            let store = DiskStore::builder(folder.path()).clock(clock.clone()).open().unwrap();
            let cache = Cache::builder().store(Arc::new(store)).clock(clock.clone());
            let cache = cache.stale(Duration::from_mins(9)).build().unwrap();
            Self { _folder: folder, clock, cache }
        }

        fn key() -> Key {
            cache_key!("v", 1)
        }

        fn set<T: serde::Serialize + Sync>(&self, value: &T) {
            self.cache.set(Self::key(), value).timeout(Duration::from_mins(1)).wait().unwrap();
        }

        fn plan(&self) -> Plan {
            let core = self.cache.core();
            Plan::of_values(core, core.scopes.of(&Self::key()))
        }

        fn stored(&self) -> StoredKey {
            self.cache.core().stored_key(&Self::key())
        }

        fn hit<T: serde::de::DeserializeOwned + 'static>(&self) -> Option<T> {
            let hit = self.plan().hit(self.stored().as_str(), None, decode_coded);
            hit.map(|(value, _)| value)
        }
    }

    #[test]
    fn a_fresh_record_is_a_hit_whatever_it_holds() {
        let fixture = Fixture::new();
        assert_eq!(fixture.hit::<Vec<u8>>(), None);
        fixture.set(&vec![7_u8; 1000]);
        assert_eq!(fixture.hit(), Some(vec![7_u8; 1000]));
        assert_eq!(fixture.hit(), Some(Some(vec![7_u8; 1000])));
        assert_eq!(fixture.hit::<String>(), None, "it holds no text");
        fixture.set(&("text", 5));
        assert_eq!(fixture.hit(), Some(("text".to_owned(), 5)));
        assert_eq!(fixture.cache.stats().store_hits, 3);
    }

    #[test]
    fn a_record_is_no_hit_once_its_time_is_over_though_the_store_keeps_it() {
        let fixture = Fixture::new();
        fixture.set(&vec![7_u8; 9]);
        fixture.clock.advance(Duration::from_secs(59));
        assert!(fixture.hit::<Vec<u8>>().is_some());
        fixture.clock.advance(Duration::from_secs(1));
        assert!(fixture.hit::<Vec<u8>>().is_none());
    }

    #[test]
    fn what_has_been_invalidated_is_no_hit() {
        for severity in [Severity::Hard, Severity::Soft] {
            let fixture = Fixture::new();
            fixture.set(&vec![7_u8; 9]);
            assert!(fixture.hit::<Vec<u8>>().is_some());
            let core = fixture.cache.core();
            wait(core.store.invalidate(&[core.scopes.prefix("v")], severity)).unwrap();
            assert!(fixture.hit::<Vec<u8>>().is_none());
        }
    }

    #[test]
    fn what_another_signature_stored_is_no_hit() {
        let fixture = Fixture::new();
        let header = wait(async {
            let value = fixture.cache.value(Fixture::key());
            value.header(Duration::from_mins(1).into()).await.unwrap()
        });
        let save = |fingerprint| {
            let mut header = header.clone();
            header.fingerprint = fingerprint;
            let record = Record::new(&header, b"bytes").unwrap();
            let store = &fixture.cache.core().store;
            assert!(wait(store.save(&fixture.stored(), record, None, Guard::Always, &[])).unwrap());
        };
        let hit = |fingerprint| {
            let plan = Plan { fingerprint, ..fixture.plan() };
            plan.hit::<Vec<u8>>(fixture.stored().as_str(), None, decode_coded)
        };
        let [one, other] = ["one", "other"].map(Fingerprint::of);
        save(one);
        assert!(hit(one).is_some());
        assert!(hit(other).is_none());
    }

    #[test]
    fn a_damaged_record_is_no_hit() {
        let fixture = Fixture::new();
        fixture.set(&vec![7_u8; 100]);
        let store = &fixture.cache.core().store;
        let loaded = wait(store.load(&[fixture.stored()], &[])).unwrap();
        let sound = loaded.slots[0].record.clone().unwrap().bytes().to_vec();
        for place in [0, 3, 30, sound.len() / 2, sound.len() - 1] {
            let mut damaged = sound.clone();
            damaged[place] ^= 1;
            let record = Record::from_bytes(damaged.into());
            assert!(wait(store.save(&fixture.stored(), record, None, Guard::Always, &[])).unwrap());
            assert!(fixture.hit::<Vec<u8>>().is_none(), "byte {place}");
        }
    }

    #[test]
    fn a_disabled_cache_has_no_hits() {
        let fixture = Fixture::new();
        fixture.set(&vec![7_u8; 9]);
        fixture.cache.enable(false);
        assert!(fixture.hit::<Vec<u8>>().is_none());
    }
}
