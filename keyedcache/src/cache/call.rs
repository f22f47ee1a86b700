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
use std::time::Duration;

use crate::error::Error;
use crate::flight::{Ending, Flight, Join, Seat, Seen, Shared, Sight};
use crate::generation;
use crate::policy::SingleFlight;
use crate::runtime::{self, Place};
use crate::store::{LeaseToken, Leasing, Release};

use super::lead::{Claim, Leader, Refresher};
use super::limits::Budget;
use super::look::{Found, Look};
use super::patience::Patience;
use super::plan::{Begin, Call};

impl Call {
    /// Finds the answer, or the right to compute it.
    pub(crate) async fn begin(&self) -> Begin {
        let core = &self.plan.core;
        if !core.is_enabled() {
            return Begin::Alone(None);
        }
        let mut patience = Patience::of(core);
        let looked = self.look(&mut patience).await;
        if let Ok(Look { found: Found::Fresh { value, until }, .. }) = looked {
            core.counters.store_hits.count();
            return Begin::Answer { value, until: Some(until) };
        }
        // Boxed, so that the future of a hit is small.
        Box::pin(self.begin_without_hit(looked, patience)).await
    }

    async fn begin_without_hit(
        &self,
        mut looked: Result<Look, Error>,
        mut patience: Patience,
    ) -> Begin {
        let core = &self.plan.core;
        let mut budget = None;
        let mut listens = self.plan.keeps_near();
        loop {
            if let Ok(Look { found: Found::Fresh { value, until }, .. }) = looked {
                core.counters.store_hits.count();
                return Begin::Answer { value, until: Some(until) };
            }
            // Before any flight is joined or led; a hit joins none.
            core.hear_of_changes();
            let look = match looked {
                Ok(look) => look,
                Err(error) => {
                    core.count_failure(&error, &self.key);
                    let budget = budget.unwrap_or_else(|| Budget::of(self));
                    return self.begin_without_store(budget).await;
                }
            };
            let look = match look.found {
                // With a `soft_timeout` it is for whoever does not get a new one in time.
                Found::Stale { ref value, .. } if !self.keeps_back(&look) => {
                    core.counters.stale_hits.count();
                    let value = Arc::clone(value);
                    return self.serve_stale(value, look).await;
                }
                Found::Fresh { .. } | Found::Stale { .. } | Found::Missing { .. } => look,
            };
            if !listens && core.flights.has_unleased(&self.key) {
                listens = true;
                looked = self.look_and_listen(&mut patience).await;
                continue;
            }
            // From the first miss on: a hit waits for nobody, and reads no clock for it.
            let budget = *budget.get_or_insert_with(|| Budget::of(self));
            let place = Place::here().await;
            let seen = Seen { lease: look.lease, generations: &look.generations };
            let sight = Sight { came: look.since, seen: Some(seen) };
            match core.flights.join(&self.key, &self.plan.scopes, &sight, place) {
                Join::Itself => return Begin::Alone(look.found.on_error()),
                Join::Lead(seat) => return self.lead(seat, look, budget, patience).await,
                Join::Follow(flight) => {
                    let on_error = look.found.on_error();
                    if let Some(begin) = self.follow(&flight, &sight, budget, on_error).await {
                        return begin;
                    }
                }
            }
            looked = if listens {
                self.look_and_listen(&mut patience).await
            } else {
                self.look(&mut patience).await
            };
        }
    }

    /// Finds the right to compute what no store keeps: there is only this process.
    pub(crate) async fn begin_local(&self) -> Begin {
        let core = &self.plan.core;
        if !core.is_enabled() {
            return Begin::Alone(None);
        }
        core.hear_of_changes();
        self.begin_without_store(Budget::of(self)).await
    }

    /// Whatever becomes of the store, the callers of this process compute once.
    async fn begin_without_store(&self, budget: Budget) -> Begin {
        let core = &self.plan.core;
        let place = Place::here().await;
        loop {
            let sight = Sight { came: core.flights.tick(), seen: None };
            match core.flights.join(&self.key, &self.plan.scopes, &sight, place) {
                Join::Itself => return Begin::Alone(None),
                Join::Lead(seat) => return Begin::Lead(Leader::beside(self, seat, None)),
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
        let place = Place::here().await;
        let seat = core.flights.replace(&self.key, &self.plan.scopes, place);
        let mut patience = Patience::of(core);
        let leased = self.lease_by_force(&mut patience).await.unwrap_or_else(|error| {
            core.count_failure(&error, &self.key);
            None
        });
        Some(match leased {
            Some((claim, look)) => Leader::anew(self, seat, claim, look, patience),
            None => Leader::beside(self, seat, None),
        })
    }

    /// As [`begin_anew`](Self::begin_anew), of what no store keeps.
    pub(crate) async fn begin_anew_locally(&self) -> Option<Box<Leader>> {
        let core = &self.plan.core;
        if !core.is_enabled() {
            return None;
        }
        let place = Place::here().await;
        let seat = core.flights.replace(&self.key, &self.plan.scopes, place);
        Some(Leader::beside(self, seat, None))
    }

    /// Takes the lease from whoever has it. `None` where there are no leases, or others do the same
    /// all the time.
    async fn lease_by_force(
        &self,
        patience: &mut Patience,
    ) -> Result<Option<(Claim, Look)>, Error> {
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            let mut look = self.look(patience).await?;
            match self.generations_and_lease(&mut look, patience).await? {
                Asked::Granted(claim) => return Ok(Some((claim, look))),
                Asked::Held { by, .. } => self.take_away(by, patience).await,
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
            && !runtime::is_thread_ending()
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
        let has_older = on_error.is_some();
        match runtime::timeout(budget.left(has_older), flight.follow(sight)).await {
            Some(Ending::Value { value, .. }) => {
                self.plan.core.counters.followed.count();
                Some(Begin::Answer { value, until: None })
            }
            Some(Ending::Error(error)) => {
                self.plan.core.counters.followed.count();
                Some(Begin::Error(error))
            }
            Some(Ending::Failed) => Some(match on_error {
                Some(value) => {
                    self.plan.core.counters.stale_hits.count();
                    Begin::Answer { value, until: None }
                }
                None => Begin::Alone(None),
            }),
            Some(Ending::Declined) => Some(Begin::Alone(on_error)),
            Some(Ending::Abandoned) if !budget.left(has_older).is_zero() => None,
            Some(Ending::Abandoned) | None => Some(self.out_of_time(budget, on_error)),
        }
    }

    /// Leads a flight: gets the lease, or waits for whoever has it.
    async fn lead(
        &self,
        seat: Seat,
        mut look: Look,
        budget: Budget,
        mut patience: Patience,
    ) -> Begin {
        let core = &self.plan.core;
        core.counters.misses.count();
        loop {
            let leasing = match self.generations_and_lease(&mut look, &mut patience).await {
                Ok(leasing) => leasing,
                Err(error) => {
                    core.count_failure(&error, &self.key);
                    let look = self.look_before_computing_beside(look, &mut patience).await;
                    return Begin::Lead(Leader::beside(self, seat, Some(look)));
                }
            };
            match leasing {
                Asked::Granted(claim) => {
                    return Begin::Lead(Leader::under(self, seat, claim, look, patience));
                }
                Asked::NoLeases => return Begin::Lead(Leader::beside(self, seat, Some(look))),
                Asked::Held { by, .. } if !self.minds_leases() => {
                    // Who comes next follows this flight as long as that lease stands.
                    look.lease = Some(by);
                    return Begin::Lead(Leader::beside(self, seat, Some(look)));
                }
                Asked::Held { by, remaining } => {
                    let older = look.found.on_error();
                    let left = budget.left(older.is_some());
                    if left.is_zero() {
                        return self.out_of_time(budget, older);
                    }
                    if by.generations == generation::digest(&look.generations) {
                        core.counters.waited.count();
                        seat.waiting(by.generations);
                        if self.wait_for_change(by, left.min(remaining)).await {
                            patience = Patience::of(core);
                        }
                        seat.preparing();
                    } else if look.lease == Some(by) {
                        self.take_away(by, &mut patience).await;
                    }
                    // One that came after our look may know newer generations: a new look tells.
                    let Some(again) = self.look_again(&mut patience).await else {
                        return Begin::Lead(Leader::beside(self, seat, None));
                    };
                    look = again;
                    if look.declined && matches!(look.found, Found::Missing { .. }) {
                        seat.declined();
                        return Begin::Alone(look.found.on_error());
                    }
                }
                // It was stored after our look, perhaps under generations that came after that, too.
                Asked::Changed(Look { found: Found::Missing { .. }, .. }) => {
                    let Some(again) = self.look_again(&mut patience).await else {
                        return Begin::Lead(Leader::beside(self, seat, None));
                    };
                    look = again;
                }
                Asked::Changed(changed) => look = changed,
            }
            if self.keeps_back(&look) && !look.declined {
                continue;
            }
            if let Found::Fresh { value, .. } | Found::Stale { value, .. } = &look.found {
                core.counters.store_hits.count();
                let value = Arc::clone(value);
                seat.read(Arc::clone(&value), look.since);
                return Begin::Answer { value, until: None };
            }
        }
    }

    /// What one knows of the key who computes without a lease, and must hear of what changes meanwhile:
    /// who does not can have no followers, and so knows no generations.
    async fn look_before_computing_beside(&self, look: Look, patience: &mut Patience) -> Look {
        if self.plan.keeps_near() {
            return look;
        }
        let again = self.look_and_listen(patience).await;
        again.unwrap_or(Look { lease: None, generations: Vec::new(), ..look })
    }

    /// Whether what was found is served only if no new answer comes in time.
    fn keeps_back(&self, look: &Look) -> bool {
        matches!(look.found, Found::Stale { is_early: false, .. }) && self.limits.keep_stale_back()
    }

    /// A new look; `None`, and a counted failure, if the store cannot be asked.
    async fn look_again(&self, patience: &mut Patience) -> Option<Look> {
        match self.look(patience).await {
            Ok(look) => Some(look),
            Err(error) => {
                self.plan.core.count_failure(&error, &self.key);
                None
            }
        }
    }

    /// Asks for the lease of what was looked at; creates generations that were absent first, since
    /// what is stamped with nothing could never be told from what is invalidated.
    async fn generations_and_lease(
        &self,
        look: &mut Look,
        patience: &mut Patience,
    ) -> Result<Asked, Error> {
        let core = &self.plan.core;
        if !core.capabilities.leases {
            return Ok(Asked::NoLeases);
        }
        if look.generations.iter().any(Option::is_none) {
            let scopes = core.store.scopes_for(&self.key, &self.plan.scopes);
            let created = core.store.generations(&scopes);
            let created = patience.ask(core, "read generations", created).await?;
            look.generations = created.into_iter().map(Some).collect();
        }
        let claim = Claim::new(self, &look.generations);
        let lease = self.plan.policy.lease;
        let request = core.store.lease(&self.key, claim.token(), lease, look.seen);
        Ok(match patience.ask(core, "lease", request).await? {
            Leasing::Granted => Asked::Granted(claim),
            Leasing::Held { by, remaining } => {
                claim.was_not_granted();
                Asked::Held { by, remaining }
            }
            Leasing::Changed(slot) => {
                claim.was_not_granted();
                let generations = std::mem::take(&mut look.generations);
                Asked::Changed(self.judge(slot, generations, look.since))
            }
        })
    }

    /// Ends a lease that computes under generations which have been replaced: what it saves would be
    /// missing, so nobody who comes now should wait for it.
    async fn take_away(&self, lease: LeaseToken, patience: &mut Patience) {
        let core = &self.plan.core;
        let release = core.store.release(&self.key, lease, Release::Abandoned);
        if let Err(error) = patience.ask(core, "release", release).await {
            core.count_failure(&error, &self.key);
        }
    }

    /// Returns when the lease has ended, as far as the store can tell, or after `at_most`; says
    /// whether the store did tell.
    async fn wait_for_change(&self, lease: LeaseToken, at_most: Duration) -> bool {
        let core = &self.plan.core;
        let changed = core.store.changed(&self.key, lease, at_most);
        // The store keeps to `at_most`; a store that does not must not keep the caller.
        match runtime::timeout(at_most.saturating_add(core.store_timeout), changed).await {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                core.count_failure(&error, &self.key);
                // Whatever ails it, asking again at once would not help it.
                runtime::sleep(at_most.min(Duration::from_millis(50))).await;
                false
            }
            None => false,
        }
    }

    /// Serves a stale value; the first to come refreshes it.
    async fn serve_stale(&self, value: Shared, look: Look) -> Begin {
        let core = &self.plan.core;
        let place = Place::here().await;
        let seat = core.flights.put_off_if_none(&self.key, &self.plan.scopes, place);
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
        seat.preparing();
        let mut patience = Patience::of(&self.plan.core);
        match self.generations_and_lease(&mut look, &mut patience).await {
            Ok(Asked::Granted(claim)) => Some(Leader::under(self, seat, claim, look, patience)),
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
