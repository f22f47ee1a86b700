//! Flights: one computation of one key in this process, and those that wait for it.
//!
//! Who may follow a flight is the heart of "what has been invalidated never comes back": a caller
//! must never be handed an answer whose making began before something that had been acknowledged
//! when the caller came. So every flight says *when* (in the ticks of [`Flights`]) what it hands out
//! began, and every caller notes the tick before its own first question to the store:
//!
//! - a flight that has not begun to compute will begin later than the caller came: follow, but for
//!   one that is put off, since nobody knows for how long;
//! - one that computes since before the caller came is followed only if the caller itself has just
//!   read that the flight's lease still stands and its generations are the current ones;
//! - one that waits for another process's computation is followed only by callers that have read no
//!   other generations than that computes under;
//! - a value that a flight *read* is good only for callers that came before that reading began.
//!
//! A flight that fails these is not waited for but replaced: it goes on for those it has.

mod leading;
mod seat;

pub(crate) use leading::{Leading as LeadingBody, Led, is_within_a_body, lead_in_sync, led_here};
pub(crate) use seat::Seat;

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::generation;
use crate::record::{Generation, Scope, ScopeId};
use crate::runtime::Place;
use crate::store::{KeyDigest, LeaseToken, StoredKey};

/// A value on its way to several callers of one function.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// A point in the order of things within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u64);

/// How far a flight is.
#[derive(Clone)]
enum Phase {
    /// It is to begin when its leader comes to it: a refresh in the background.
    PutOff,
    /// It reads, or asks for the lease.
    Preparing,
    /// It waits for another process, which computes under generations of this digest.
    Waiting { under: u32 },
    /// The body runs, since this tick, under or beside this lease and of these generations; of none
    /// where the store could not be asked, or is not.
    Computing { since: Tick, lease: Option<LeaseToken>, generations: Arc<[Option<Generation>]> },
    /// It is over.
    Ended(Ending),
}

/// How a flight ended.
#[derive(Clone)]
pub(crate) enum Ending {
    /// With an answer that began at this tick.
    Value {
        /// What it handed out.
        value: Shared,
        /// When its making began.
        since: Tick,
    },
    /// With an error that those who wait can have too.
    Error(Shared),
    /// Computing failed: those who wait fall back on an older answer, each on the one it has read, or
    /// compute side by side.
    Failed,
    /// With an answer that is nobody else's: those who wait compute side by side.
    Declined,
    /// With nothing: one of those who wait takes over.
    Abandoned,
}

/// One computation of one key in this process.
pub(crate) struct Flight {
    id: u64,
    leader: Place,
    scopes: Arc<[Scope]>,
    phase: watch::Sender<Phase>,
}

/// What a caller read, by which it judges whether a flight is worth waiting for.
pub(crate) struct Sight<'a> {
    /// Noted before the reading.
    pub(crate) came: Tick,
    /// `None` where no store could be asked, or none is.
    pub(crate) seen: Option<Seen<'a>>,
}

/// What stands in the store.
pub(crate) struct Seen<'a> {
    /// The lease on the key.
    pub(crate) lease: Option<LeaseToken>,
    /// The generations of the key's scopes.
    pub(crate) generations: &'a [Option<Generation>],
}

impl Sight<'_> {
    /// Whether what computes under generations of this digest is as new as what the caller read.
    fn knows_no_other_generations(&self, digest: u32) -> bool {
        self.seen.as_ref().is_none_or(|seen| generation::digest(seen.generations) == digest)
    }
}

/// What joining gave.
pub(crate) enum Join {
    /// This caller leads.
    Lead(Seat),
    /// Another one does.
    Follow(Arc<Flight>),
    /// Waiting would be waiting for oneself: compute.
    Itself,
}

/// The flights of one cache in this process.
#[derive(Default)]
pub(crate) struct Flights {
    clock: AtomicU64,
    by_key: Mutex<HashMap<StoredKey, Arc<Flight>>>,
}

impl Flights {
    /// Notes when a caller came; to be called before it asks a store.
    pub(crate) fn tick(&self) -> Tick {
        Tick(self.clock.fetch_add(1, Ordering::SeqCst))
    }

    /// Joins the flight of a key, or begins one.
    pub(crate) fn join(
        self: &Arc<Self>,
        key: &StoredKey,
        scopes: &Arc<[Scope]>,
        sight: &Sight<'_>,
        place: Place,
    ) -> Join {
        let mut flights = self.by_key.lock();
        if let Some(flight) = flights.get(key) {
            if leading::is_leading(flight.id) || place.would_block(flight.leader) {
                return Join::Itself;
            }
            if flight.is_good_for(sight) {
                return Join::Follow(Arc::clone(flight));
            }
        }
        Join::Lead(self.begin(&mut flights, key, scopes, place))
    }

    /// Begins a flight that is put off, if the key has none.
    pub(crate) fn put_off_if_none(
        self: &Arc<Self>,
        key: &StoredKey,
        scopes: &Arc<[Scope]>,
        place: Place,
    ) -> Option<Seat> {
        let mut flights = self.by_key.lock();
        if flights.contains_key(key) {
            return None;
        }
        let seat = self.begin(&mut flights, key, scopes, place);
        seat.put_off();
        Some(seat)
    }

    /// Begins a flight in place of whatever the key has.
    pub(crate) fn replace(
        self: &Arc<Self>,
        key: &StoredKey,
        scopes: &Arc<[Scope]>,
        place: Place,
    ) -> Seat {
        self.begin(&mut self.by_key.lock(), key, scopes, place)
    }

    fn begin(
        self: &Arc<Self>,
        flights: &mut HashMap<StoredKey, Arc<Flight>>,
        key: &StoredKey,
        scopes: &Arc<[Scope]>,
        place: Place,
    ) -> Seat {
        let flight = Arc::new(Flight {
            id: self.tick().0,
            leader: place,
            scopes: Arc::clone(scopes),
            phase: watch::Sender::new(Phase::Preparing),
        });
        flights.insert(key.clone(), Arc::clone(&flight));
        Seat::new(Arc::clone(self), key.clone(), flight)
    }

    /// The flight of this key can be joined, unless there is another one.
    fn attach(&self, key: &StoredKey, flight: &Arc<Flight>) {
        let mut flights = self.by_key.lock();
        if !flights.contains_key(key) {
            flights.insert(key.clone(), Arc::clone(flight));
        }
    }

    /// Nobody joins the flight of this key any more.
    pub(crate) fn detach_key(&self, key: &StoredKey) {
        self.by_key.lock().remove(key);
    }

    /// Nobody joins any flight of these scopes any more.
    pub(crate) fn detach_scope(&self, scope: ScopeId) {
        self.by_key.lock().retain(|_, flight| flight.scopes.iter().all(|of| of.id() != scope));
    }

    /// Nobody joins a flight of this key that no lease vouches for.
    pub(crate) fn detach_unleased(&self, digest: KeyDigest) {
        let goes =
            |key: &StoredKey, flight: &Flight| flight.is_unleased() && key.digest() == digest;
        self.by_key.lock().retain(|key, flight| !goes(key, flight));
    }

    /// Whether this key has a flight that no lease vouches for.
    pub(crate) fn has_unleased(&self, key: &StoredKey) -> bool {
        self.by_key.lock().get(key).is_some_and(|flight| flight.is_unleased())
    }

    /// Nobody joins any flight that goes on now.
    pub(crate) fn detach_all(&self) {
        self.by_key.lock().clear();
    }

    fn remove(&self, key: &StoredKey, flight: &Arc<Flight>) {
        let mut flights = self.by_key.lock();
        if flights.get(key).is_some_and(|found| Arc::ptr_eq(found, flight)) {
            flights.remove(key);
        }
    }
}

impl Flight {
    fn is_unleased(&self) -> bool {
        matches!(&*self.phase.borrow(), Phase::Computing { lease: None, .. })
    }

    /// Whether a caller that saw this may wait for it. Only reads memory.
    fn is_good_for(&self, sight: &Sight<'_>) -> bool {
        match &*self.phase.borrow() {
            Phase::Preparing => true,
            Phase::Waiting { under } => sight.knows_no_other_generations(*under),
            Phase::Computing { since, .. } if *since > sight.came => true,
            Phase::Computing { lease, generations, .. } => match &sight.seen {
                Some(seen) => seen.lease == *lease && seen.generations == &**generations,
                // A flight that did ask the store might have lost its lease since.
                None => lease.is_none() && generations.is_empty(),
            },
            Phase::PutOff | Phase::Ended(_) => false,
        }
    }

    /// Waits for the end. What it was read or computed from, or what it turns out to wait for, may
    /// be too old for this caller, who then sees [`Ending::Abandoned`].
    ///
    /// Cancel safe: dropping it only stops waiting.
    pub(crate) async fn follow(&self, sight: &Sight<'_>) -> Ending {
        let mut phase = self.phase.subscribe();
        let is_over = |phase: &Phase| match phase {
            Phase::Ended(_) => true,
            Phase::Waiting { under } => !sight.knows_no_other_generations(*under),
            Phase::PutOff | Phase::Preparing | Phase::Computing { .. } => false,
        };
        match phase.wait_for(is_over).await.as_deref() {
            Ok(Phase::Ended(Ending::Value { since, .. })) if *since < sight.came => {
                Ending::Abandoned
            }
            Ok(Phase::Ended(ending)) => ending.clone(),
            _ => Ending::Abandoned,
        }
    }
}
