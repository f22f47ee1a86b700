//! The right to compute one key: what holds it while the body runs, and what becomes of the answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::clock::Moment;
use crate::error::Error;
use crate::flight::{Seat, Shared};
use crate::generation;
use crate::near;
use crate::policy::Timeout;
use crate::record::{Generation, Header, Record, Stamp};
use crate::runtime;
use crate::store::{Guard, LeaseToken, Release};

use super::Boxed;
use super::look::Look;
use super::patience::Patience;
use super::plan::Call;

/// A lease that was asked for, and that is given back unless it is used.
///
/// It is made before the request is sent: dropped in between, it releases what may have been
/// granted unheard.
pub(crate) struct Claim {
    call: Call,
    token: LeaseToken,
    release: Option<Release>,
}

impl Claim {
    pub(super) fn new(call: &Call, generations: &[Option<Generation>]) -> Self {
        let token =
            LeaseToken::random(call.plan.core.holder).under(generation::digest(generations));
        Self { call: call.clone(), token, release: Some(Release::Abandoned) }
    }

    pub(super) fn token(&self) -> LeaseToken {
        self.token
    }

    pub(super) fn was_not_granted(mut self) {
        self.release = None;
    }

    fn keep(&self) {
        let plan = &self.call.plan;
        let (lease, at_most) = (plan.policy.lease, plan.policy.lease_max);
        plan.core.renewals.keep(self.token, self.call.key.clone(), lease, at_most);
    }

    /// Gives the lease back. Whoever comes after this returned finds none of it.
    async fn give_back(mut self, mut patience: Patience) {
        let Some(release) = self.release else { return };
        let core = Arc::clone(&self.call.plan.core);
        core.renewals.forget(self.token);
        let released = core.store.release(&self.call.key, self.token, release);
        match patience.ask(&core, "release", released).await {
            Ok(_) => self.release = None,
            // Dropped as it is, it tries once more in the background.
            Err(error) => core.count_failure(&error, &self.call.key),
        }
    }

    /// Saves under the lease, within its time; says whether the store took it.
    async fn save(mut self, record: Record, ttl: Option<Duration>) -> Result<bool, Error> {
        let plan = &self.call.plan;
        let guard = Guard::Lease(self.token);
        let scopes = plan.core.store.scopes_for(&self.call.key, &plan.scopes);
        let save = plan.core.store.save(&self.call.key, record, ttl, guard, &scopes);
        let saved = runtime::timeout(plan.policy.lease, save).await;
        let saved = saved.unwrap_or_else(|| Err(plan.core.no_answer("save", plan.policy.lease)))?;
        // Ended by the save, or not ours any more.
        self.release = None;
        Ok(saved)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.call.plan.core.renewals.forget(self.token);
        let Some(release) = self.release else { return };
        let release = if std::thread::panicking() { Release::Declined } else { release };
        let (call, token) = (self.call.clone(), self.token);
        runtime::background().spawn(async move {
            let core = &call.plan.core;
            // If this fails too, the lease runs out by itself.
            let released = core.ask("release", core.store.release(&call.key, token, release)).await;
            if let Err(error) = released {
                core.count_failure(&error, &call.key);
            }
        });
    }
}

/// Leads one computation. Dropped, it frees flight and lease for the next caller.
pub(crate) struct Leader {
    call: Call,
    // Before `claim`: followers of this process wake before those of others.
    seat: Seat,
    claim: Option<Claim>,
    patience: Patience,
    stamp: Stamp,
    began: Instant,
    /// The older value that may stand in for an answer that failed.
    on_error: Option<Shared>,
    /// Whether the record that is replaced may still be fresh, and so be kept near somewhere.
    replaces_fresh: bool,
}

impl Leader {
    /// Computes under a lease.
    pub(super) fn under(
        call: &Call,
        seat: Seat,
        claim: Claim,
        look: Look,
        patience: Patience,
    ) -> Box<Self> {
        let on_error = look.found.on_error();
        let stamp = generation::stamp(&call.plan.scopes, &look.generations).unwrap_or_default();
        seat.computing(Some(claim.token()), look.generations.into());
        claim.keep();
        Self { claim: Some(claim), patience, stamp, on_error, ..Self::new(call, seat) }.into()
    }

    /// Computes under a lease that was taken for it, whatever is cached.
    pub(super) fn anew(
        call: &Call,
        seat: Seat,
        claim: Claim,
        look: Look,
        patience: Patience,
    ) -> Box<Self> {
        let mut leader = Self::under(call, seat, claim, look, patience);
        leader.on_error = None;
        leader.replaces_fresh = true;
        leader
    }

    /// Computes without a lease for the callers of this process; nothing is stored.
    pub(super) fn beside(call: &Call, seat: Seat, look: Option<Look>) -> Box<Self> {
        let Some(look) = look else {
            seat.computing(None, [].into());
            return Self::new(call, seat).into();
        };
        let on_error = look.found.on_error();
        seat.computing(look.lease, look.generations.into());
        Self { on_error, ..Self::new(call, seat) }.into()
    }

    fn new(call: &Call, seat: Seat) -> Self {
        Self {
            call: call.clone(),
            seat,
            claim: None,
            patience: Patience::of(&call.plan.core),
            stamp: Stamp::default(),
            began: Instant::now(),
            on_error: None,
            replaces_fresh: false,
        }
    }

    pub(crate) fn flight_id(&self) -> u64 {
        self.seat.flight_id()
    }

    /// The older value that may stand in for an answer that fails, or does not come.
    pub(crate) fn older(&self) -> Option<&Shared> {
        self.on_error.as_ref()
    }

    /// The header of what is saved now.
    pub(crate) fn header(&self, timeout: Timeout) -> Header {
        self.call.plan.header(timeout, self.stamp.clone(), self.began.elapsed())
    }

    /// Whether an answer can be stored at all: there is a lease, and the cache is enabled.
    pub(crate) fn can_save(&self) -> bool {
        self.claim.is_some() && self.call.plan.core.is_enabled()
    }

    /// What was kept near of the key is void if the record that goes may be among it: nobody tells
    /// this process of a save under its own lease.
    pub(crate) fn before_save(&self) {
        if self.replaces_fresh {
            near::drop_key(self.call.key.digest());
        }
    }

    /// Saves the record under the lease; until when it is fresh, if the store took it and the answer
    /// may be kept near.
    ///
    /// A store that takes its time takes it without the caller: the save goes on in the background. So
    /// it does if this is dropped.
    pub(crate) async fn save(&mut self, header: &Header, record: Record) -> Option<Moment> {
        let save = self.claim.take()?.save(record, header.ttl());
        let mut saving = Saving { call: &self.call, under_way: Some(Box::pin(save)) };
        let Some(saved) = self.patience.wait_for(&mut saving).await else {
            let core = &self.call.plan.core;
            core.count_failure(&core.no_answer("save", core.store_timeout), &self.call.key);
            return None;
        };
        self.call.count_save(&saved);
        match saved {
            Ok(true) if !self.replaces_fresh => Some(self.call.fresh_until(header)),
            Ok(false) => None,
            Ok(true) | Err(_) => {
                // Whoever has read the older record since this began may still want to keep that near;
                // and a save that failed may have taken place all the same.
                near::drop_key(self.call.key.digest());
                None
            }
        }
    }

    /// The answer cannot be written: this process has it, others will compute their own.
    pub(crate) fn unencodable(&mut self, error: &Error) {
        let core = &self.call.plan.core;
        core.counters.unencodable.count();
        tracing::warn!(target: "keyedcache", key = %self.call.key, %error, "answer is not stored");
        self.release_as(Release::Declined);
    }

    /// Hands the answer to those who wait in this process.
    pub(crate) fn answered(self, value: Shared) {
        self.call.plan.core.counters.computed.count();
        self.seat.computed(value);
    }

    /// The older value that stands in for an answer that failed, if there is one; the leader itself
    /// if there is none. Those who wait fall back too, each on what it has read itself: what this one
    /// has read may have been invalidated when they came.
    pub(crate) async fn fail_over(mut self: Box<Self>) -> Result<Shared, Box<Self>> {
        let Some(older) = self.on_error.take() else { return Err(self) };
        let counters = &self.call.plan.core.counters;
        counters.computed.count();
        counters.stale_hits.count();
        self.release_as(Release::Declined);
        let Self { seat, claim, patience, .. } = *self;
        seat.failed();
        if let Some(claim) = claim {
            claim.give_back(patience).await;
        }
        Ok(older)
    }

    /// The answer is not to be stored: those who wait get its error, if it can be shared, or compute
    /// side by side, here and elsewhere.
    pub(crate) async fn declined(mut self, error: Option<Shared>) {
        let counters = &self.call.plan.core.counters;
        counters.computed.count();
        counters.declined.count();
        self.release_as(Release::Declined);
        let Self { seat, claim, patience, .. } = self;
        match error {
            Some(error) => seat.returned_error(error),
            None => seat.declined(),
        }
        if let Some(claim) = claim {
            claim.give_back(patience).await;
        }
    }

    fn release_as(&mut self, release: Release) {
        if let Some(claim) = &mut self.claim {
            claim.release = Some(release);
        }
    }
}

/// A save that goes on in the background if it is dropped before it has ended.
struct Saving<'a> {
    call: &'a Call,
    under_way: Option<Boxed<'static, Result<bool, Error>>>,
}

impl Future for Saving<'_> {
    type Output = Result<bool, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let save = self.under_way.as_mut().expect("it is not polled when it has ended");
        let saved = ready!(save.as_mut().poll(context));
        self.under_way = None;
        Poll::Ready(saved)
    }
}

impl Drop for Saving<'_> {
    fn drop(&mut self) {
        let Some(save) = self.under_way.take() else { return };
        let call = self.call.clone();
        near::drop_key(call.key.digest());
        runtime::background().spawn(async move {
            call.count_save(&save.await);
            // This process is not told of it, and may have read the older record meanwhile.
            near::drop_key(call.key.digest());
        });
    }
}

impl Call {
    fn count_save(&self, saved: &Result<bool, Error>) {
        let core = &self.plan.core;
        match saved {
            Ok(true) => core.counters.saved.count(),
            Ok(false) => core.counters.refused.count(),
            Err(error) => core.count_failure(error, &self.key),
        }
    }
}

/// The right to refresh a stale record, still to be leased.
pub(crate) struct Refresher {
    call: Call,
    seat: Seat,
    look: Look,
}

impl Refresher {
    pub(super) fn new(call: &Call, seat: Seat, look: Look) -> Box<Self> {
        Box::new(Self { call: call.clone(), seat, look })
    }

    /// The lease, unless somebody else refreshes already.
    pub(crate) async fn lease(self) -> Option<Box<Leader>> {
        self.call.lease_for_refresh(self.seat, self.look).await
    }
}

/// Puts two owners of one value together: most often there is only one.
pub(crate) fn take<T: Clone + Send + Sync + 'static>(value: Shared) -> Option<T> {
    let value: Arc<T> = value.downcast().ok()?;
    Some(Arc::try_unwrap(value).unwrap_or_else(|shared| (*shared).clone()))
}
