//! What this process has lately read and written of keys, so that the next step of the same caller
//! needs no read of its own.
//!
//! It is only ever a guess: a step that starts from it is guarded by the `ETag` remembered, and one
//! that would end without a write reads first.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::client::ETag;
use super::place::Place;
use crate::clock::Moment;
use crate::store::{LeaseToken, StoredKey};

/// For how long what was read is a good guess.
const LATELY: Duration = Duration::from_secs(5);
/// How many keys are remembered at most, and how many bytes of their records.
const MOST_KEYS: usize = 512;
const MOST_BYTES: usize = 8 << 20;

/// What stood under a key.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// `None` where there was no object.
    pub(super) etag: Option<ETag>,
    pub(super) place: Place,
    /// Whether it was read by the step that uses it.
    pub(super) is_certain: bool,
}

/// A lease that this process holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) key: StoredKey,
    pub(super) etag: ETag,
    pub(super) until: Moment,
    /// Whether the object holds nothing but the lease.
    pub(super) is_bare: bool,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    lately: Mutex<Lately>,
    held: Mutex<HashMap<LeaseToken, Held>>,
}

#[derive(Debug, Default)]
struct Lately {
    known: HashMap<StoredKey, (Instant, Known)>,
    /// Those of `known`, oldest first, and others that are gone.
    order: VecDeque<(Instant, StoredKey)>,
    bytes: usize,
}

impl Lately {
    fn forget(&mut self, key: &StoredKey) -> Option<Known> {
        let (at, known) = self.known.remove(key)?;
        self.bytes -= size(&known);
        (at.elapsed() < LATELY).then_some(known)
    }
}

fn size(known: &Known) -> usize {
    known.place.record.as_ref().map_or(0, |kept| kept.record.bytes().len())
}

impl Memory {
    pub(super) fn remember(&self, key: &StoredKey, etag: Option<ETag>, place: Place) {
        let known = Known { etag, place, is_certain: false };
        let now = Instant::now();
        let mut lately = self.lately.lock();
        lately.forget(key);
        lately.bytes += size(&known);
        lately.known.insert(key.clone(), (now, known));
        lately.order.push_back((now, key.clone()));
        while lately.order.len() > MOST_KEYS || lately.bytes > MOST_BYTES {
            let Some((at, key)) = lately.order.pop_front() else { break };
            if lately.known.get(&key).is_some_and(|(since, _)| *since == at) {
                lately.forget(&key);
            }
        }
    }

    /// Takes out what is remembered of a key.
    pub(super) fn take(&self, key: &StoredKey) -> Option<Known> {
        self.lately.lock().forget(key)
    }

    pub(super) fn hold(&self, token: LeaseToken, held: Held, now: Moment) {
        let mut all = self.held.lock();
        all.retain(|_, held| held.until > now);
        all.insert(token, held);
    }

    pub(super) fn held(&self, key: &StoredKey, token: LeaseToken) -> Option<Held> {
        self.held.lock().get(&token).filter(|held| held.key == *key).cloned()
    }

    pub(super) fn let_go(&self, token: LeaseToken) {
        self.held.lock().remove(&token);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::record::Record;

    fn place(n: usize, bytes: usize) -> (StoredKey, Place) {
        let key = StoredKey::new(format!("key::{n}"));
        let record = Record::from_bytes(Bytes::from(vec![0; bytes]));
        (key.clone(), Place::with_record(key, record, Moment::NEVER))
    }

    #[test]
    fn neither_keys_nor_bytes_pile_up() {
        let memory = Memory::default();
        for (count, bytes) in [(3 * MOST_KEYS, 10), (100, MOST_BYTES / 10), (3, 2 * MOST_BYTES)] {
            for n in 0..count {
                let (key, place) = place(n, bytes);
                memory.remember(&key, None, place);
                let lately = memory.lately.lock();
                assert!(lately.known.len() <= MOST_KEYS && lately.order.len() <= MOST_KEYS);
                assert!(lately.bytes <= MOST_BYTES);
            }
        }
    }

    #[test]
    fn what_is_taken_is_gone_and_the_newest_is_what_is_remembered() {
        let memory = Memory::default();
        let (key, first) = place(1, 10);
        let (_, second) = place(1, 20);
        memory.remember(&key, None, first);
        memory.remember(&key, Some("etag".into()), second.clone());
        assert_eq!(memory.take(&key).unwrap().place, second);
        assert!(memory.take(&key).is_none());
        assert_eq!(memory.lately.lock().bytes, 0);
    }
}
