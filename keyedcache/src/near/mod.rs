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
mod readers;
mod table;
mod values;

pub(crate) use entries::{Entries, Used};
pub(crate) use order::Uses;
pub(crate) use values::{NotedValue, Values, drop_scope};

use std::any::Any;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use smallbox::{SmallBox, smallbox};

use crate::clock::{Clock, Moment};
use crate::key::KeyParts;
use crate::store::KeyDigest;

use readers::{Place, Reading, retire};

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
pub(crate) struct Epoch(AtomicU32);

impl Epoch {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Voids all that was noted before.
    pub(crate) fn bump(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// Notes it now.
    #[inline]
    pub(crate) fn note(&self) -> NotedEpoch {
        NotedEpoch(self.0.load(Ordering::Acquire))
    }
}

/// An [`Epoch`] as it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotedEpoch(u32);

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

    fn still_stand(&self, epoch: &Epoch) -> bool {
        self.epoch == epoch.note()
            && self.stood == STRIPE[usize::from(self.stripe)].load(Ordering::Acquire)
    }
}

/// The sum of both counters: they only grow, so it is the same only while both are.
#[inline]
fn sum(epoch: NotedEpoch, stripe: u32) -> u32 {
    epoch.0.wrapping_add(stripe)
}

/// The identities of a call's arguments and a value, of types that only its function knows.
///
/// Up to four words stand in the entry itself, which is two numbers as arguments and a shared text as the
/// value; of what is larger a hit follows one more pointer.
pub(crate) type Kept = SmallBox<dyn Any + Send + Sync, [usize; 4]>;

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

/// All that a hit reads of it is on one cache line.
struct Entry {
    kept: Kept,
    deadline: Moment,
    /// The [`sum`] of the counters as they were noted.
    stood: u32,
    stripe: u16,
    asks: Asks,
    uses: Uses,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Entry>() == 64);

impl Used for Entry {
    #[inline]
    fn uses(&self) -> &Uses {
        &self.uses
    }
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
/// allocation, and of its own no atomic operation but loads and stores. What was replaced is dropped as soon as nobody reads it; what was evicted, where there
/// is room for hundreds, some dozens of evictions of the same thread later.
///
/// Types stay outside: with them the map would be compiled once more for every list of arguments, and
/// that is a tenth of a second each. They are found again at each hit, by a comparison.
///
/// Invariant: entries that ask and stand were put with the voucher that is there now, or there is
/// none. A voucher is only put where none is, and it goes after the epoch of its entries was bumped.
pub(crate) struct Near {
    entries: Entries<Entry>,
    voucher: Place<Arc<dyn Vouch>>,
}

impl Near {
    /// A near cache of at most `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: Entries::new(capacity), voucher: Place::empty() }
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
        let reading = Reading::begin()?;
        let entry = self.entries.find(hash, &reading)?;
        let pair = entry.kept.downcast_ref::<Pair<A::Identities, V>>()?;
        if !arguments.are_identities(&pair.identities) || !self.serves(entry, epoch, &reading) {
            return None;
        }
        // Before the value is cloned: while threads hit one entry, the count of references to its value
        // travels from core to core, and should be given back before it goes on.
        entry.uses.count();
        count();
        Some(pair.value.clone())
    }

    /// Whether the entry is in time, and nothing it depends on has changed.
    #[inline]
    fn serves(&self, entry: &Entry, epoch: &Epoch, reading: &Reading) -> bool {
        let now = Clock::system().coarse_now();
        // Asked before the counters are compared, which it may bump.
        let in_time = if entry.asks == Asks::Nothing {
            now < entry.deadline
        } else {
            let voucher = self.voucher.get(reading);
            voucher.is_some_and(|voucher| voucher.vouch(entry.asks, now, entry.deadline))
        };
        let stripe = STRIPE[usize::from(entry.stripe)].load(Ordering::Acquire);
        in_time && entry.stood == sum(epoch.note(), stripe)
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
            let stood = sum(noted.epoch, noted.stood);
            let uses = Uses::default();
            let entry = Entry { kept, deadline, stood, stripe: noted.stripe, asks, uses };
            self.entries.insert(hash, entry);
        }
    }

    /// Holds at most so many from now on.
    pub(crate) fn hold(&self, capacity: usize) {
        self.entries.hold(capacity);
    }

    /// Whether this is the voucher now, for what `stands`.
    fn vouched_by(&self, voucher: &Arc<dyn Vouch>, stands: impl Fn() -> bool) -> bool {
        if !self.offer(voucher) {
            return false;
        }
        // It may have come after it was forgotten; nobody would forget it again. Of this and of who
        // forgets, one at least sees the other's doing.
        fence(Ordering::SeqCst);
        let still = stands();
        if !still {
            self.clear_voucher(|other| Arc::ptr_eq(other, voucher));
        }
        still
    }

    /// Puts this voucher there if there is none; whether it is the one that is there now.
    fn offer(&self, voucher: &Arc<dyn Vouch>) -> bool {
        let Some(reading) = Reading::begin() else { return false };
        let is_this = |there: &Arc<dyn Vouch>| Arc::ptr_eq(there, voucher);
        let there = || self.voucher.get(&reading);
        if there().is_none() && self.voucher.offer(Box::new(Arc::clone(voucher))) {
            return true;
        }
        there().is_some_and(is_this)
    }

    /// Keeps nobody alive any more who vouches. What was put before must not stand any more.
    pub(crate) fn forget_voucher(&self) {
        fence(Ordering::SeqCst);
        self.clear_voucher(|_| true);
    }

    /// Takes away the voucher that is `meant`, and has it dropped as soon as nobody reads it.
    fn clear_voucher(&self, meant: impl Fn(&Arc<dyn Vouch>) -> bool) {
        let taken = Reading::begin().and_then(|reading| {
            let there = self.voucher.get(&reading).filter(|there| meant(there))?;
            self.voucher.take_this(there)
        });
        retire(taken, true);
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        self.forget_voucher();
    }
}

#[cfg(test)]
mod tests;
