//! The near cache of values that are kept by hand: one a cache, by stored key.
//!
//! What a function's entry is told by its epoch, a value's is told by counters of its scopes: like
//! the stripes of keys, a thousand that all scopes of the process share.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::clock::{Clock, Moment};
use crate::flight::Shared;
use crate::record::{Scope, ScopeId};
use crate::store::StoredKey;

use super::entries::Entries;
use super::{Epoch, Noted, Used, Uses};

const STRIPES: usize = 1024;

static STRIPE: [AtomicU32; STRIPES] = [const { AtomicU32::new(0) }; STRIPES];

fn stripe_of(scope: ScopeId) -> &'static AtomicU32 {
    let [low, high, ..] = scope.0;
    &STRIPE[usize::from(u16::from_le_bytes([low, high])) % STRIPES]
}

/// Drops the near values of a scope.
pub(crate) fn drop_scope(scope: ScopeId) {
    stripe_of(scope).fetch_add(1, Ordering::Release);
}

/// The counters of a value as they stood before a store was asked for it.
#[derive(Clone)]
pub(crate) struct NotedValue {
    noted: Noted,
    scopes: Box<[(&'static AtomicU32, u32)]>,
}

impl NotedValue {
    /// As [`Noted::at_save`].
    pub(crate) fn at_save(self) -> Self {
        Self { noted: self.noted.at_save(), ..self }
    }

    fn still_stands(&self, epoch: &Epoch) -> bool {
        self.noted.still_stand(epoch)
            && self.scopes.iter().all(|(now, stood)| now.load(Ordering::Acquire) == *stood)
    }
}

/// Values by stored key, of any type, bounded by their number.
///
/// A hit costs a lookup by text, a few loads, and the clone of an `Arc`.
#[derive(Default)]
pub(crate) struct Values {
    epoch: Epoch,
    entries: OnceLock<Entries<Entry>>,
}

struct Entry {
    key: StoredKey,
    value: Shared,
    deadline: Moment,
    noted: NotedValue,
    asks: bool,
    uses: Uses,
}

impl Used for Entry {
    fn uses(&self) -> &Uses {
        &self.uses
    }
}

impl Values {
    /// Voids all of them.
    pub(crate) fn drop_all(&self) {
        self.epoch.bump();
    }

    /// Notes what an entry will be valid against; to be called before any store is asked.
    pub(crate) fn note(&self, key: &StoredKey, scopes: &[Scope]) -> NotedValue {
        let stood = |scope: &Scope| {
            let stripe = stripe_of(scope.id());
            (stripe, stripe.load(Ordering::Acquire))
        };
        NotedValue {
            noted: Noted::now(self.epoch.note(), key.digest()),
            scopes: scopes.iter().map(stood).collect(),
        }
    }

    /// The value, if it is there, in time, and nothing it depends on has changed. `vouch` is asked
    /// as by [`Near::get`](super::Near::get).
    pub(crate) fn get(
        &self,
        key: &StoredKey,
        vouch: impl FnOnce(Moment, Moment) -> bool,
    ) -> Option<Shared> {
        let serves = |entry: &Entry| {
            let now = Clock::system().coarse_now();
            let in_time =
                if entry.asks { vouch(now, entry.deadline) } else { now < entry.deadline };
            in_time && entry.noted.still_stands(&self.epoch)
        };
        let entries = self.entries.get()?;
        entries.get(
            entries.hash_of(key),
            |entry| entry.key == *key && serves(entry),
            |entry| entry.value.clone(),
        )
    }

    /// Keeps a value until `deadline`; at most `capacity` of them, as the first call says. What does
    /// not stand any more takes nobody's place.
    pub(crate) fn put(
        &self,
        key: StoredKey,
        value: Shared,
        deadline: Moment,
        noted: NotedValue,
        asks: bool,
        capacity: usize,
    ) {
        if noted.still_stands(&self.epoch) {
            let entries = self.entries.get_or_init(|| Entries::new(capacity));
            let (hash, uses) = (entries.hash_of(&key), Uses::default());
            entries.insert(hash, Entry { key, value, deadline, noted, asks, uses });
        }
    }
}
