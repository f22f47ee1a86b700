//! The near cache: typed values in this process, in front of the stores.
//!
//! An entry is never looked for when something changes. It carries the counters that stood when its
//! making began, and every hit compares them with what they are now:
//!
//! - the owner's **epoch** (of a function: bumped when the function or the whole cache is
//!   invalidated, the cache is disabled, enabled or replaced, or pushes were lost);
//! - its key's **stripe**: one of 4,096 counters that all keys of the process share. A pushed
//!   "this key changed" bumps the stripe the key falls in, which drops that entry, and rarely a
//!   neighbour's.
//!
//! Counters are noted *before* a store is asked, so a change that arrives between the answer and
//! the insertion is not lost.

mod entries;
mod values;

pub(crate) use values::{NotedValue, Values, drop_scope};

use std::hash::Hash;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use equivalent::Equivalent;

use crate::clock::{Clock, Moment};
use crate::key::Owned;
use crate::store::KeyDigest;

use entries::Entries;

const STRIPES: usize = 4096;

/// One for all caches of the process: an entry finds its stripe without a pointer to its cache.
static STRIPE: [AtomicU32; STRIPES] = [const { AtomicU32::new(0) }; STRIPES];

fn stripe_of(digest: KeyDigest) -> u16 {
    #[allow(clippy::cast_possible_truncation)] // there are fewer stripes than 16 bits can tell
    {
        (digest.0 % STRIPES as u64) as u16
    }
}

/// Drops every near entry of a key.
pub(crate) fn drop_key(digest: KeyDigest) {
    STRIPE[usize::from(stripe_of(digest))].fetch_add(1, Ordering::Release);
}

/// Counts the events after which all entries of one owner are void.
#[derive(Debug, Default)]
pub(crate) struct Epoch(AtomicU64);

impl Epoch {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Voids all that was noted before.
    pub(crate) fn bump(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    #[inline]
    /// Notes it now.
    pub(crate) fn note(&self) -> NotedEpoch {
        NotedEpoch(self.0.load(Ordering::Acquire))
    }
}

/// An [`Epoch`] as it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotedEpoch(u64);

/// The counters as they stood when an answer's making began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    epoch: NotedEpoch,
    stripe: u16,
    stood: u32,
}

impl Noted {
    /// Notes them now; to be called before any store is asked.
    pub(crate) fn now(epoch: NotedEpoch, digest: KeyDigest) -> Self {
        let stripe = stripe_of(digest);
        let stood = STRIPE[usize::from(stripe)].load(Ordering::Acquire);
        Self { epoch, stripe, stood }
    }

    /// The same epoch, with the stripe as it stands now.
    ///
    /// For an answer that was saved under a lease: had anyone changed the key between the lease and
    /// the save, the save would have been refused.
    pub(crate) fn at_save(self) -> Self {
        let stood = STRIPE[usize::from(self.stripe)].load(Ordering::Acquire);
        Self { stood, ..self }
    }

    #[inline]
    fn still_stand(&self, epoch: &Epoch) -> bool {
        self.epoch == epoch.note()
            && self.stood == STRIPE[usize::from(self.stripe)].load(Ordering::Acquire)
    }
}

struct Entry<V> {
    value: V,
    deadline: Moment,
    noted: Noted,
    asks: bool,
}

/// What an entry is worth, told with the lock still held; what asks is asked without it.
enum Hit<V> {
    Stands(V),
    Void,
    Asks { value: V, deadline: Moment, noted: Noted },
}

impl<V: Clone> Entry<V> {
    #[inline]
    fn hit(&self, epoch: &Epoch) -> Hit<V> {
        let Self { deadline, noted, .. } = *self;
        if self.asks {
            return Hit::Asks { value: self.value.clone(), deadline, noted };
        }
        if Clock::system().coarse_now() < deadline && noted.still_stand(epoch) {
            Hit::Stands(self.value.clone())
        } else {
            Hit::Void
        }
    }
}

/// Typed values under argument lists, bounded by their number, the least useful evicted.
///
/// A hit costs one hash, one lookup, three loads, and the clone of the value; no allocation.
pub(crate) struct Near<K: 'static, V> {
    entries: Entries<Owned<K>, Entry<V>>,
}

impl<K, V> Near<K, V>
where
    Owned<K>: Hash + Eq,
    V: Clone,
{
    /// A near cache of at most `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: Entries::new(capacity) }
    }

    /// The value, if it is there, in time, and nothing it depends on has changed.
    ///
    /// `vouch` is asked, with the entry's deadline, only for entries that were
    /// [put](Self::put) to ask; and before the counters are compared, which it may bump.
    #[inline]
    pub(crate) fn get<Q>(
        &self,
        key: &Q,
        epoch: &Epoch,
        vouch: impl FnOnce(Moment) -> bool,
    ) -> Option<V>
    where
        Q: Hash + Equivalent<Owned<K>>,
    {
        match self.entries.get(key, |entry| entry.hit(epoch))? {
            Hit::Stands(value) => Some(value),
            Hit::Void => None,
            Hit::Asks { value, deadline, noted } => {
                (vouch(deadline) && noted.still_stand(epoch)).then_some(value)
            }
        }
    }

    /// Keeps a value until `deadline`, as long as what was noted stands; `asks` when more than the
    /// system's clock must vouch for it. What does not stand any more takes nobody's place.
    pub(crate) fn put(
        &self,
        key: Owned<K>,
        value: V,
        deadline: Moment,
        noted: (Noted, &Epoch),
        asks: bool,
    ) {
        let (noted, epoch) = noted;
        if noted.still_stand(epoch) {
            self.entries.insert(key, Entry { value, deadline, noted, asks });
        }
    }
}
