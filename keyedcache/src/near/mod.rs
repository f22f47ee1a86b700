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
mod order;
mod values;

pub(crate) use entries::{Collecting, Entries};
pub(crate) use values::{NotedValue, Values, drop_scope};

use std::any::Any;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use papaya::LocalGuard;
use smallbox::{SmallBox, smallbox};

use crate::clock::{Clock, Moment};
use crate::key::KeyParts;
use crate::store::KeyDigest;

use entries::Beside;

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

    /// The same of a key, with all counters as they stand now: for what is made now, and not when
    /// this was noted.
    pub(crate) fn anew(self, epoch: NotedEpoch) -> Self {
        Self { epoch, ..self }.at_save()
    }

    #[inline]
    fn still_stand(&self, epoch: &Epoch) -> bool {
        self.epoch == epoch.note()
            && self.stood == STRIPE[usize::from(self.stripe)].load(Ordering::Acquire)
    }
}

/// The identities of a call's arguments and a value, of types that only its function knows.
///
/// Up to six words stand in the map's own entry, which is a text and a number as arguments and a text as
/// the value; of what is larger a hit follows one more pointer.
pub(crate) type Kept = SmallBox<dyn Any + Send + Sync, [usize; 6]>;

/// Puts the two together, as [`Near::get`] looks for them.
pub(crate) fn kept<I, V>(identities: I, value: V) -> Kept
where
    I: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    smallbox!(Pair { identities, value })
}

struct Pair<I, V> {
    identities: I,
    value: V,
}

struct Entry {
    kept: Kept,
    deadline: Moment,
    noted: Noted,
    asks: Asks,
}

/// What a near entry asks at each hit besides the system's clock.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Asks {
    Nothing,
    /// What has changed, and a clock that may be another.
    Time,
    /// The same, and whether the store is to be trusted, whose answer it is.
    Trust,
}

/// Whom near entries ask that the system's clock alone cannot vouch for.
pub(crate) trait Vouch: Send + Sync {
    /// Whether what is said to be fresh until `deadline` may be served `now`, which is the system's
    /// coarse time. Costs nanoseconds.
    fn vouch(&self, asks: Asks, now: Moment, deadline: Moment) -> bool;
}

/// Values under argument lists, of any types, bounded by their number, the least useful evicted.
///
/// A hit costs one hash, one lookup, three loads, and the clone of the value; no lock, no
/// allocation. What was replaced is dropped as soon as nobody reads it; what was evicted, where there
/// is room for hundreds, some dozens of evictions of the same thread later.
///
/// Types stay outside: with them the map would be compiled once more for every list of arguments, and
/// that is a tenth of a second each. They are found again at each hit, by a comparison.
///
/// Invariant: entries that ask and stand were put with the voucher that is there now, or there is
/// none. A voucher is only put where none is, and it goes after the epoch of its entries was bumped.
pub(crate) struct Near {
    entries: Entries<Entry>,
    voucher: Beside<Arc<dyn Vouch>>,
}

impl Near {
    /// A near cache of at most `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        let collecting = Collecting::shared();
        Self { entries: Entries::new(capacity, collecting), voucher: Beside::new(collecting) }
    }

    /// What a call with these arguments is looked up by.
    #[inline]
    pub(crate) fn hash(&self, arguments: &impl KeyParts) -> u64 {
        let mut hasher = self.entries.hasher();
        arguments.hash_identities(&mut hasher);
        hasher.finish()
    }

    /// The value, if it is there, in time, and nothing it depends on has changed; then, and before
    /// it is cloned, `count` is called.
    #[inline]
    pub(crate) fn get<A: KeyParts, V: Clone + 'static>(
        &self,
        arguments: &A,
        epoch: &Epoch,
        count: impl FnOnce(),
    ) -> Option<V> {
        let hash = self.hash(arguments);
        let reading = self.entries.read()?;
        let slot = self.entries.find(hash, &reading)?;
        let entry = &slot.entry;
        let pair = entry.kept.downcast_ref::<Pair<A::Identities, V>>()?;
        if !arguments.are_identities(&pair.identities) || !self.serves(entry, epoch, &reading) {
            return None;
        }
        slot.count_use();
        count();
        Some(pair.value.clone())
    }

    /// Whether the entry is in time, and nothing it depends on has changed.
    #[inline]
    fn serves(&self, entry: &Entry, epoch: &Epoch, reading: &LocalGuard<'_>) -> bool {
        let now = Clock::system().coarse_now();
        // Asked before the counters are compared, which it may bump.
        let in_time = if entry.asks == Asks::Nothing {
            now < entry.deadline
        } else {
            let voucher = self.voucher.get(reading);
            voucher.is_some_and(|voucher| voucher.vouch(entry.asks, now, entry.deadline))
        };
        in_time && entry.noted.still_stand(epoch)
    }

    /// Keeps this for the arguments of this hash until `deadline`, as long as what was noted stands.
    /// A voucher is asked so at each hit. What does not stand any more takes nobody's place.
    pub(crate) fn put(
        &self,
        hash: u64,
        kept: Kept,
        deadline: Moment,
        noted: (Noted, &Epoch),
        voucher: Option<(&Arc<dyn Vouch>, Asks)>,
    ) {
        let (noted, epoch) = noted;
        let stands = || noted.still_stand(epoch);
        let asks = voucher.map_or(Asks::Nothing, |(_, asks)| asks);
        if stands() && voucher.is_none_or(|(voucher, _)| self.vouched_by(voucher, stands)) {
            self.entries.insert(hash, Entry { kept, deadline, noted, asks });
        }
    }

    /// Holds at most so many from now on.
    pub(crate) fn hold(&self, capacity: usize) {
        self.entries.hold(capacity);
    }

    /// Whether this is the voucher now, for what `stands`.
    fn vouched_by(&self, voucher: &Arc<dyn Vouch>, stands: impl Fn() -> bool) -> bool {
        let is_this = |other: &Arc<dyn Vouch>| Arc::ptr_eq(other, voucher);
        if !self.voucher.offer(Arc::clone(voucher), is_this) {
            return false;
        }
        // It may have come after it was forgotten; nobody would forget it again. Of this and of who
        // forgets, one at least sees the other's doing.
        fence(Ordering::SeqCst);
        let still = stands();
        if !still {
            self.voucher.clear(is_this);
        }
        still
    }

    /// Keeps nobody alive any more who vouches. What was put before must not stand any more.
    pub(crate) fn forget_voucher(&self) {
        fence(Ordering::SeqCst);
        self.voucher.clear(|_| true);
    }
}

#[cfg(test)]
mod tests;
