//! The path of a call, from the first question to the store to the right to compute.
//!
//! ```text
//! look: record, lease, generations                    one round trip
//!   fresh    -> answer
//!   stale    -> answer, and one caller refreshes
//!   missing  -> join the flight of the key
//!     follow -> wait for its answer
//!     lead   -> lease: granted -> compute
//!                      held    -> wait for the key to change, look again
//!                      changed -> judge what stands there now
//! ```
//!
//! What the body returns goes on in [`lead`](super::lead).

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::flight::{self, Ending, Flight, Join, Seat, SeenLease, Shared, Sight, Tick};
use crate::generation;
use crate::policy::SingleFlight;
use crate::record::Generation;
use crate::runtime;
use crate::store::{LeaseToken, Leasing, Release};

use super::lead::{Claim, Leader, Refresher};
use super::look::{Found, Look};
use super::plan::{Begin, Call};

/// How long a body that itself leads waits for another flight, so that two processes that wait for
/// each other's keys do not stay so.
const NESTED_WAIT: Duration = Duration::from_secs(1);

/// What is left of the time one call may wait, however often it looks again.
#[derive(Clone, Copy)]
struct Budget(Instant);

impl Budget {
    fn of(call: &Call) -> Self {
        let wait = call.plan.policy.wait;
        let wait = if flight::is_within_a_body() { wait.min(NESTED_WAIT) } else { wait };
        Self(Instant::now() + wait)
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

impl Call {
    /// Finds the answer, or the right to compute it.
    pub(crate) async fn begin(&self) -> Begin {
        let core = &self.plan.core;
        if !core.is_enabled() {
            return Begin::Alone(None);
        }
        let budget = Budget::of(self);
        loop {
            let came = core.flights.tick();
            let look = match self.look().await {
                Ok(look) => look,
                Err(error) => return self.begin_out_of_reach(&error, came, budget).await,
            };
            let look = match look.found {
                Found::Fresh { value, until } => {
                    core.counters.store_hits.count();
                    return Begin::Answer { value, until: Some(until) };
                }
                Found::Stale { ref value } => {
                    core.counters.stale_hits.count();
                    let value = Arc::clone(value);
                    return self.serve_stale(value, look).await;
                }
                Found::Missing { .. } => look,
            };
            let on_error = look.found.on_error();
            let sight = Sight {
                came,
                lease: if self.minds_leases() { look.lease.into() } else { SeenLease::Unknown },
                generations: Some(&look.generations),
            };
            match core.flights.join(&self.key, &self.plan.scopes, &sight, self.place) {
                Join::Itself => return Begin::Alone(on_error),
                Join::Lead(seat) => return self.lead(seat, came, look, budget).await,
                Join::Follow(flight) => {
                    if let Some(begin) = self.follow(&flight, &sight, budget, on_error).await {
                        return begin;
                    }
                }
            }
        }
    }

    /// Finds the right to compute what no store keeps: there is only this process.
    pub(crate) async fn begin_local(&self) -> Begin {
        let core = &self.plan.core;
        if !core.is_enabled() {
            return Begin::Alone(None);
        }
        let budget = Budget::of(self);
        loop {
            let came = core.flights.tick();
            let sight = Sight { came, lease: SeenLease::Unknown, generations: None };
            match core.flights.join(&self.key, &self.plan.scopes, &sight, self.place) {
                Join::Itself => return Begin::Alone(None),
                Join::Lead(seat) => return self.lead_without_lease(seat, Vec::new(), None),
                Join::Follow(flight) => {
                    if let Some(begin) = self.follow(&flight, &sight, budget, None).await {
                        return begin;
                    }
                }
            }
        }
    }

    /// The right to compute now whatever is cached and whoever computes it: joins no flight, and
    /// takes the lease over. `None` while the cache is disabled.
    pub(crate) async fn begin_anew(&self) -> Option<Box<Leader>> {
        let core = &self.plan.core;
        if !core.is_enabled() {
            return None;
        }
        let seat = core.flights.replace(&self.key, &self.plan.scopes, self.place);
        match self.lease_by_force().await {
            Ok(Some((claim, generations))) => {
                Some(Leader::new(self, seat, Some(claim), generations, None))
            }
            Ok(None) => Some(Leader::new(self, seat, None, Vec::new(), None)),
            Err(error) => {
                core.count_failure(&error, &self.key);
                Some(Leader::new(self, seat, None, Vec::new(), None))
            }
        }
    }

    /// Takes the lease from whoever has it. `None` where there are no leases, or others do the same
    /// all the time.
    async fn lease_by_force(&self) -> Result<Option<(Claim, Vec<Option<Generation>>)>, Error> {
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            let mut look = self.look().await?;
            match self.generations_and_lease(&mut look).await? {
                Asked::Granted(claim) => return Ok(Some((claim, look.generations))),
                Asked::Held { by, .. } => self.take_away(by).await,
                Asked::Changed(_) => {}
                Asked::NoLeases => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Whether other processes' leases are waited for.
    fn minds_leases(&self) -> bool {
        self.plan.core.capabilities.leases
            && self.plan.policy.single_flight == SingleFlight::Cluster
    }

    /// Waits for another caller's flight; `None` means look again. `on_error` stands in for an answer
    /// that this caller computes by itself and that fails.
    async fn follow(
        &self,
        flight: &Arc<Flight>,
        sight: &Sight<'_>,
        budget: Budget,
        on_error: Option<Shared>,
    ) -> Option<Begin> {
        if self.plan.policy.single_flight == SingleFlight::Off {
            return Some(Begin::Alone(on_error));
        }
        match runtime::timeout(budget.left(), flight.follow(sight)).await {
            Some(Ending::Value { value, .. }) => {
                self.plan.core.counters.followed.count();
                Some(Begin::Answer { value, until: None })
            }
            Some(Ending::Error(error)) => {
                self.plan.core.counters.followed.count();
                Some(Begin::Error(error))
            }
            Some(Ending::Abandoned) if !budget.left().is_zero() => None,
            Some(Ending::Declined | Ending::Abandoned) | None => Some(Begin::Alone(on_error)),
        }
    }

    /// Leads a flight: gets the lease, or waits for whoever has it.
    async fn lead(&self, seat: Seat, came: Tick, mut look: Look, budget: Budget) -> Begin {
        let core = &self.plan.core;
        core.counters.misses.count();
        let mut since = came;
        loop {
            let leasing = match self.generations_and_lease(&mut look).await {
                Ok(leasing) => leasing,
                Err(error) => {
                    core.count_failure(&error, &self.key);
                    return self.lead_without_lease(seat, Vec::new(), look.found.on_error());
                }
            };
            match leasing {
                Asked::Granted(claim) => return self.lead_with(seat, claim, look),
                Asked::NoLeases => {
                    let on_error = look.found.on_error();
                    return self.lead_without_lease(seat, look.generations, on_error);
                }
                Asked::Held { .. } if !self.minds_leases() => {
                    let on_error = look.found.on_error();
                    return self.lead_without_lease(seat, look.generations, on_error);
                }
                Asked::Held { by, remaining } => {
                    let left = budget.left();
                    if left.is_zero() {
                        return Begin::Alone(look.found.on_error());
                    }
                    if look.lease != Some(by) {
                        // It came after our look: only a new look tells what it computes under.
                    } else if by.generations == generation::digest(&look.generations) {
                        core.counters.waited.count();
                        seat.waiting(by.generations);
                        self.wait_for_change(by, left.min(remaining)).await;
                        seat.preparing();
                    } else {
                        self.take_away(by).await;
                    }
                    since = core.flights.tick();
                    look = match self.look().await {
                        Ok(look) => look,
                        Err(error) => {
                            core.count_failure(&error, &self.key);
                            return self.lead_without_lease(seat, Vec::new(), None);
                        }
                    };
                    if look.declined && matches!(look.found, Found::Missing { .. }) {
                        seat.declined();
                        return Begin::Alone(look.found.on_error());
                    }
                }
                Asked::Changed(changed) => look = changed,
            }
            if let Found::Fresh { value, .. } | Found::Stale { value } = &look.found {
                core.counters.store_hits.count();
                let value = Arc::clone(value);
                seat.read(Arc::clone(&value), since);
                return Begin::Answer { value, until: None };
            }
        }
    }

    /// Asks for the lease of what was looked at; creates generations that were absent first, since
    /// what is stamped with nothing could never be told from what is invalidated.
    async fn generations_and_lease(&self, look: &mut Look) -> Result<Asked, Error> {
        let core = &self.plan.core;
        if !core.capabilities.leases {
            return Ok(Asked::NoLeases);
        }
        if look.generations.iter().any(Option::is_none) {
            let scopes = &self.plan.scopes;
            let created = core.ask("read generations", core.store.generations(scopes)).await?;
            look.generations = created.into_iter().map(Some).collect();
        }
        let claim = Claim::new(self, &look.generations);
        let lease = self.plan.policy.lease;
        let request = core.store.lease(&self.key, claim.token(), lease, look.seen);
        Ok(match core.ask("lease", request).await? {
            Leasing::Granted => Asked::Granted(claim),
            Leasing::Held { by, remaining } => {
                claim.was_not_granted();
                Asked::Held { by, remaining }
            }
            Leasing::Changed(slot) => {
                claim.was_not_granted();
                Asked::Changed(self.judge(slot, std::mem::take(&mut look.generations)))
            }
        })
    }

    /// Ends a lease that computes under generations which have been replaced: what it saves would be
    /// missing, so nobody who comes now should wait for it.
    async fn take_away(&self, lease: LeaseToken) {
        let core = &self.plan.core;
        let release = core.store.release(&self.key, lease, Release::Abandoned);
        if let Err(error) = core.ask("release", release).await {
            core.count_failure(&error, &self.key);
        }
    }

    /// Returns when the lease has ended, as far as the store can tell, or after `at_most`.
    async fn wait_for_change(&self, lease: LeaseToken, at_most: Duration) {
        let core = &self.plan.core;
        let changed = core.store.changed(&self.key, lease, at_most);
        // The store keeps to `at_most`; a store that does not must not keep the caller.
        let waited = runtime::timeout(at_most + core.store_timeout, changed).await;
        if let Some(Err(error)) = waited {
            core.count_failure(&error, &self.key);
            // Whatever ails it, asking again at once would not help it.
            runtime::sleep(at_most.min(Duration::from_millis(50))).await;
        }
    }

    fn lead_with(&self, seat: Seat, claim: Claim, look: Look) -> Begin {
        let Found::Missing { on_error } = look.found else {
            unreachable!("a fresh or stale record is never leased on this path")
        };
        Begin::Lead(Leader::new(self, seat, Some(claim), look.generations, on_error))
    }

    /// Computes for the callers of this process; nothing is stored.
    fn lead_without_lease(
        &self,
        seat: Seat,
        generations: Vec<Option<Generation>>,
        on_error: Option<Shared>,
    ) -> Begin {
        Begin::Lead(Leader::new(self, seat, None, generations, on_error))
    }

    /// The store cannot be asked: the callers of this process still compute once.
    async fn begin_out_of_reach(&self, error: &Error, came: Tick, budget: Budget) -> Begin {
        let core = &self.plan.core;
        core.count_failure(error, &self.key);
        let sight = Sight { came, lease: SeenLease::Unknown, generations: None };
        match core.flights.join(&self.key, &self.plan.scopes, &sight, self.place) {
            Join::Itself => Begin::Alone(None),
            Join::Lead(seat) => self.lead_without_lease(seat, Vec::new(), None),
            Join::Follow(flight) => {
                self.follow(&flight, &sight, budget, None).await.unwrap_or(Begin::Alone(None))
            }
        }
    }

    /// Serves a stale value; the first to come refreshes it.
    async fn serve_stale(&self, value: Shared, look: Look) -> Begin {
        let core = &self.plan.core;
        let seat = core.flights.lead_if_none(&self.key, &self.plan.scopes, self.place);
        let Some(seat) = seat else { return Begin::Stale { value, refresh: None } };
        if !self.plan.policy.refresh_in_foreground {
            let refresh = Some(Refresher::new(self, seat, look));
            return Begin::Stale { value, refresh };
        }
        match self.lease_for_refresh(seat, look).await {
            Some(leader) => Begin::Lead(leader),
            None => Begin::Stale { value, refresh: None },
        }
    }

    /// The right to replace a stale record, unless somebody else has it.
    pub(super) async fn lease_for_refresh(
        &self,
        seat: Seat,
        mut look: Look,
    ) -> Option<Box<Leader>> {
        match self.generations_and_lease(&mut look).await {
            Ok(Asked::Granted(claim)) => {
                let on_error = match look.found {
                    Found::Fresh { value, .. } | Found::Stale { value } => Some(value),
                    Found::Missing { on_error } => on_error,
                };
                Some(Leader::new(self, seat, Some(claim), look.generations, on_error))
            }
            Ok(_) => None,
            Err(error) => {
                self.plan.core.count_failure(&error, &self.key);
                None
            }
        }
    }
}

enum Asked {
    Granted(Claim),
    Held { by: LeaseToken, remaining: Duration },
    Changed(Look),
    NoLeases,
}
