//! Flights: one computation of one key in this process, and those that wait for it.
//!
//! Who may follow a flight is the heart of "what has been invalidated never comes back": a caller
//! must never be handed an answer whose making began before something that had been acknowledged
//! when the caller came. So every flight says *when* (in the ticks of [`Flights`]) what it hands out
//! began, and every caller notes the tick before its own first question to the store:
//!
//! - a flight that has not begun to compute will begin later than the caller came: follow;
//! - one that computes since before the caller came is followed only if the caller itself has just
//!   read that the flight's lease still stands and its generations are the current ones;
//! - one that waits for another process's computation is followed only by callers that have read no
//!   other generations than that computes under;
//! - a value that a flight *read* is good only for callers that came before that reading began.
//!
//! A flight that fails these is not waited for but replaced: it goes on for those it has.

mod leading;
mod seat;

pub(crate) use leading::{Leading as LeadingBody, Led, is_within_a_body, lead_in_sync};
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
use crate::store::{LeaseToken, StoredKey};

/// A value on its way to several callers of one function.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// A point in the order of things within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u64);

/// How far a flight is.
#[derive(Clone)]
enum Phase {
    /// It reads, or asks for the lease.
    Preparing,
    /// It waits for another process, which computes under generations of this digest.
    Waiting { under: u32 },
    /// The body runs, since this tick, under this lease and of these generations.
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
    /// The lease that stands on the key.
    pub(crate) lease: SeenLease,
    /// The generations of the key's scopes; `None` where the store could not be asked.
    pub(crate) generations: Option<&'a [Option<Generation>]>,
}

/// What a caller knows of the lease on its key.
#[derive(Clone, Copy)]
pub(crate) enum SeenLease {
    /// Nothing: the store could not be asked, or grants none, or they do not matter to this call.
    Unknown,
    /// No lease stands.
    None,
    /// This one stands.
    Standing(LeaseToken),
}

impl SeenLease {
    /// Whether a flight that computes under this lease, or without one, may still be what it was.
    fn allows(self, flown: Option<LeaseToken>) -> bool {
        match self {
            Self::Unknown => true,
            Self::None => flown.is_none(),
            Self::Standing(token) => flown == Some(token),
        }
    }
}

impl From<Option<LeaseToken>> for SeenLease {
    fn from(lease: Option<LeaseToken>) -> Self {
        lease.map_or(Self::None, Self::Standing)
    }
}

impl Sight<'_> {
    /// Whether what computes under generations of this digest is as new as what the caller read.
    fn knows_no_other_generations(&self, digest: u32) -> bool {
        self.generations.is_none_or(|current| generation::digest(current) == digest)
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

    /// Begins a flight if the key has none.
    pub(crate) fn lead_if_none(
        self: &Arc<Self>,
        key: &StoredKey,
        scopes: &Arc<[Scope]>,
        place: Place,
    ) -> Option<Seat> {
        let mut flights = self.by_key.lock();
        (!flights.contains_key(key)).then(|| self.begin(&mut flights, key, scopes, place))
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

    /// Nobody joins the flight of this key any more.
    pub(crate) fn detach_key(&self, key: &StoredKey) {
        self.by_key.lock().remove(key);
    }

    /// Nobody joins any flight of these scopes any more.
    pub(crate) fn detach_scope(&self, scope: ScopeId) {
        self.by_key.lock().retain(|_, flight| flight.scopes.iter().all(|of| of.id() != scope));
    }

    fn remove(&self, key: &StoredKey, flight: &Arc<Flight>) {
        let mut flights = self.by_key.lock();
        if flights.get(key).is_some_and(|found| Arc::ptr_eq(found, flight)) {
            flights.remove(key);
        }
    }
}

impl Flight {
    /// Whether a caller that saw this may wait for it. Only reads memory.
    fn is_good_for(&self, sight: &Sight<'_>) -> bool {
        match &*self.phase.borrow() {
            Phase::Preparing => true,
            Phase::Waiting { under } => sight.knows_no_other_generations(*under),
            Phase::Computing { since, .. } if *since > sight.came => true,
            // What could not be read is nothing to doubt the flight by.
            Phase::Computing { lease, generations, .. } => {
                sight.lease.allows(*lease)
                    && sight.generations.is_none_or(|current| current == &**generations)
            }
            Phase::Ended(_) => false,
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
            Phase::Preparing | Phase::Computing { .. } => false,
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
