//! The leader's seat: whoever holds it moves the flight on, and leaving it, however that happens,
//! ends the flight.

use std::sync::Arc;

use crate::record::Generation;
use crate::store::{LeaseToken, StoredKey};

use super::{Ending, Flight, Flights, Phase, Shared, Tick};

/// The right to lead one flight.
///
/// Dropped, it ends the flight as [`Ending::Abandoned`], or as [`Ending::Declined`] by a panic.
pub(crate) struct Seat {
    flights: Arc<Flights>,
    key: StoredKey,
    flight: Arc<Flight>,
    ended: bool,
}

impl Seat {
    pub(super) fn new(flights: Arc<Flights>, key: StoredKey, flight: Arc<Flight>) -> Self {
        Self { flights, key, flight, ended: false }
    }

    /// What tells this flight from others of the process.
    pub(crate) fn flight_id(&self) -> u64 {
        self.flight.id
    }

    /// It has not begun, and nobody should wait for it.
    pub(super) fn put_off(&self) {
        self.flight.phase.send_replace(Phase::PutOff);
    }

    /// From now on it waits for what another process computes under generations of this digest.
    pub(crate) fn waiting(&self, under: u32) {
        self.flight.phase.send_replace(Phase::Waiting { under });
    }

    /// It reads, or asks for the lease.
    pub(crate) fn preparing(&self) {
        self.flight.phase.send_replace(Phase::Preparing);
    }

    /// The body runs from now on.
    ///
    /// Under a lease the flight can be joined again if it was detached meanwhile, as it is where a
    /// store tells who makes a generation of that too: who comes compares what it has read itself.
    pub(crate) fn computing(
        &self,
        lease: Option<LeaseToken>,
        generations: Arc<[Option<Generation>]>,
    ) {
        let since = self.flights.tick();
        let is_leased = lease.is_some();
        self.flight.phase.send_replace(Phase::Computing { since, lease, generations });
        if is_leased {
            self.flights.attach(&self.key, &self.flight);
        }
    }

    /// Hands the followers what the body returned.
    pub(crate) fn computed(self, value: Shared) {
        let since = match &*self.flight.phase.borrow() {
            Phase::Computing { .. } => Tick(u64::MAX), // its followers were let in one by one
            _ => Tick(0),
        };
        self.end(Ending::Value { value, since });
    }

    /// Hands the followers what was read, by a reading that began at `since`.
    pub(crate) fn read(self, value: Shared, since: Tick) {
        self.end(Ending::Value { value, since });
    }

    /// Lets the followers fall back on what they have.
    pub(crate) fn failed(self) {
        self.end(Ending::Failed);
    }

    /// Hands the followers the error that the body returned.
    pub(crate) fn returned_error(self, error: Shared) {
        self.end(Ending::Error(error));
    }

    /// Lets the followers compute side by side.
    pub(crate) fn declined(self) {
        self.end(Ending::Declined);
    }

    fn end(mut self, ending: Ending) {
        self.finish(ending);
    }

    fn finish(&mut self, ending: Ending) {
        self.ended = true;
        // Out of the map first: who comes now must not find a flight that has ended.
        self.flights.remove(&self.key, &self.flight);
        self.flight.phase.send_replace(Phase::Ended(ending));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let panicking = std::thread::panicking();
        self.finish(if panicking { Ending::Declined } else { Ending::Abandoned });
    }
}
