//! What becomes of an answer that a body has returned.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::Moment;
use crate::cache::{Call, Core, Decode, Leader, Plan, Refresher, Value, take};
use crate::codec::Codec;
use crate::error::Error;
use crate::flight::{LeadingBody, Led, Shared, lead_in_sync};
use crate::key::{KeyParts, Owned};
use crate::near::{Noted, NotedEpoch};
use crate::observe::Counters;
use crate::policy::Timeout;
use crate::record::{Header, Record};
use crate::runtime;
use crate::shape::{Encode, Shape};
use crate::store::StoredKey;

use super::site::{Function, Site};

/// What finishing a call needs, noted when it began.
pub(super) struct Finish<S: Shape> {
    site: &'static Site,
    function: Arc<Function>,
    plan: Arc<Plan>,
    shape: S,
    /// `None` where nothing is kept near.
    near: Option<ToNear<S::Stored>>,
}

/// What it takes to keep an answer near.
struct ToNear<V> {
    /// What the entry will be valid against.
    noted: Noted,
    put: Put<V>,
}

/// Puts a value into the near cache, under the arguments it was made from.
type Put<V> = Box<dyn FnOnce(&'static Site, &Function, V, Moment, Noted) + Send + Sync>;

impl<S: Shape> Finish<S> {
    /// To be made before any store is asked: it notes what a near entry will be valid against.
    /// `epoch` was noted even before the function's cache was looked up.
    pub(super) fn new<A: KeyParts>(
        site: &'static Site,
        function: Arc<Function>,
        shape: S,
        epoch: NotedEpoch,
        key: &StoredKey,
        arguments: &A,
    ) -> Self {
        let near = (function.near > 0).then(|| ToNear {
            noted: Noted::now(epoch, key.digest()),
            put: put_under(Owned::of(arguments)),
        });
        let plan = function.plan_of(arguments);
        Self { site, function, plan, shape, near }
    }

    pub(super) fn call(&self, key: StoredKey, decode: Decode) -> Call {
        Call { plan: Arc::clone(&self.plan), key, decode }
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub(super) fn shape(&self) -> S {
        self.shape
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.function.core().counters
    }

    /// Keeps an answer near that is fresh until `until` by the store's clock.
    pub(super) fn put_near(&mut self, stored: &S::Stored, until: Moment) {
        if let Some(ToNear { noted, put }) = self.near.take() {
            let deadline = self.function.core().near_deadline(until);
            put(self.site, &self.function, stored.clone(), deadline, noted);
        }
    }

    /// As [`Noted::at_save`].
    fn note_at_save(&mut self) {
        if let Some(near) = &mut self.near {
            near.noted = near.noted.at_save();
        }
    }

    /// How long this answer is fresh; `None` if it is not to be stored.
    fn timeout(&self, answer: &S::Answer) -> Option<Timeout> {
        let policy = &self.plan.policy;
        let usual = || {
            let told = self.shape.stored(answer).and_then(|stored| self.shape.timeout(stored));
            told.unwrap_or(policy.timeout)
        };
        let timeout = if self.shape.is_err(answer) {
            policy.timeout_err?
        } else if self.shape.is_none(answer) {
            policy.timeout_none.unwrap_or_else(usual)
        } else {
            usual()
        };
        (!timeout.is_zero()).then_some(timeout)
    }

    async fn finish(mut self, mut leader: Box<Leader>, answer: S::Answer) -> S::Answer {
        if self.shape.is_err(&answer) {
            leader = match leader.fail_over().await {
                Ok(older) => return take(older).map_or(answer, |old| self.shape.answer(old)),
                Err(leader) => leader,
            };
        }
        let to_store = self.timeout(&answer).zip(self.shape.stored(&answer));
        let Some((timeout, stored)) = to_store else {
            let error = self.shape.share_error(&answer);
            leader.declined(error).await;
            return answer;
        };
        if S::LOCAL {
            let until = self.function.core().fresh_from_now(timeout);
            self.put_near(stored, until);
        } else if leader.can_save() {
            self.save(&mut leader, stored, timeout).await;
        }
        leader.answered(Arc::new(stored.clone()));
        answer
    }

    /// Stores an answer that was not computed here, as a new write.
    pub(super) async fn put(mut self, value: &Value, answer: &S::Answer) -> Result<(), Error> {
        let to_store = self.timeout(answer).zip(self.shape.stored(answer));
        let Some((timeout, stored)) = to_store else { return Ok(()) };
        if S::LOCAL {
            value.changed_here();
            if self.function.core().is_enabled() {
                self.note_at_save();
                let until = self.function.core().fresh_from_now(timeout);
                self.put_near(stored, until);
            }
            return Ok(());
        }
        if !self.function.core().is_enabled() {
            return Ok(());
        }
        let header = value.header(timeout).await?;
        let record = self.seal(&header, stored).map_err(|error| error.with("key", &value.key))?;
        value.replace(&header, record).await
    }

    fn seal(&self, header: &Header, stored: &S::Stored) -> Result<Record, Error> {
        let sealed = self
            .shape
            .encode(stored, Seal { core: self.function.core(), codec: self.plan.codec, header });
        sealed.expect("what only local shapes cannot do is not asked of them")
    }

    async fn save(&mut self, leader: &mut Leader, stored: &S::Stored, timeout: Timeout) {
        let header = leader.header(timeout);
        match self.seal(&header, stored) {
            Ok(record) => {
                leader.before_save();
                self.note_at_save();
                if let Some(until) = leader.save(&header, record).await {
                    self.put_near(stored, until);
                }
            }
            Err(error) => leader.unencodable(&error),
        }
    }
}

/// Seals what a shape hands it.
struct Seal<'a> {
    core: &'a Core,
    codec: Codec,
    header: &'a Header,
}

impl Encode for Seal<'_> {
    type Output = Result<Record, Error>;

    fn encode<T: serde::Serialize>(self, value: &T) -> Self::Output {
        self.core.seal_by(self.codec, self.header, value)
    }
}

fn put_under<K, V>(key: Owned<K>) -> Put<V>
where
    K: Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    Owned<K>: std::hash::Hash + Eq,
{
    Box::new(move |site, function, stored, deadline, noted| {
        let near = site.near_or_new(function.near);
        near.put(key, stored, deadline, (noted, &site.epoch), function.voucher.as_ref());
    })
}

/// What a caller that computes by itself falls back to.
#[must_use]
pub struct Alone<S: Shape>(Option<Box<(Finish<S>, Shared)>>);

impl<S: Shape> Alone<S> {
    pub(super) fn new(finish: Finish<S>, on_error: Option<Shared>) -> Self {
        Self(on_error.map(|older| Box::new((finish, older))))
    }

    /// Returns the answer, or the older one if computing failed and there is one for that.
    #[inline(never)]
    pub fn finish(self, answer: S::Answer) -> S::Answer {
        match self.0.map(|both| *both) {
            Some((finish, older)) if finish.shape.is_err(&answer) => {
                finish.counters().stale_hits.count();
                take(older).map_or(answer, |stored| finish.shape.answer(stored))
            }
            _ => answer,
        }
    }
}

/// The right and the duty to compute an answer. Dropped, it lets the next caller.
#[must_use]
pub struct Lead<S: Shape>(Box<(Box<Leader>, Finish<S>)>);

impl<S: Shape> Lead<S> {
    pub(super) fn new(leader: Box<Leader>, finish: Finish<S>) -> Self {
        Self(Box::new((leader, finish)))
    }

    /// From here until [`Leading::finish`] this thread runs the body.
    pub fn enter(self) -> Leading<S> {
        Leading { led: lead_in_sync(self.0.0.flight_id()), lead: self }
    }

    /// Runs the body, saves its answer, returns it.
    pub async fn lead<F: Future<Output = S::Answer>>(self, body: Pin<Box<F>>) -> S::Answer {
        let answer = LeadingBody::new(self.0.0.flight_id(), body).await;
        self.finish(answer).await
    }

    /// Boxed, and in a frame of its own, as beginning is.
    #[inline(never)]
    fn finish(self, answer: S::Answer) -> Pin<Box<impl Future<Output = S::Answer> + use<S>>> {
        let (leader, finish) = *self.0;
        Box::pin(finish.finish(leader, answer))
    }
}

/// A sync body at work. Dropped, by a panic, it lets the next caller.
#[must_use]
pub struct Leading<S: Shape> {
    led: Led,
    lead: Lead<S>,
}

impl<S: Shape> Leading<S> {
    /// Saves the answer and returns it.
    #[inline(never)]
    pub fn finish(self, answer: S::Answer) -> S::Answer {
        drop(self.led);
        runtime::wait(self.lead.finish(answer))
    }
}

/// The right to refresh a stale answer, or nothing where somebody else does.
#[must_use]
pub struct Refresh<S: Shape>(Option<Box<(Box<Refresher>, Finish<S>)>>);

impl<S: Shape> Refresh<S> {
    pub(super) fn new(refresher: Option<Box<Refresher>>, finish: Finish<S>) -> Self {
        Self(refresher.map(|refresher| Box::new((refresher, finish))))
    }

    /// Refreshes in a task of the current runtime, or on a thread of its own where there is none.
    pub fn spawn<F>(self, body: F)
    where
        F: Future<Output = S::Answer> + Send + 'static,
        S::Answer: Send,
    {
        let Some((refresher, finish)) = self.0.map(|both| *both) else { return };
        let refresh = async move {
            if let Some(leader) = refresher.lease().await {
                Lead::new(leader, finish).lead(Box::pin(body)).await;
            }
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(refresh)),
            // Not on the background thread itself, which must never run a body.
            Err(_) => {
                drop(runtime::background().spawn_blocking(move || runtime::wait(refresh)));
            }
        }
    }

    /// Refreshes on a thread for blocking work.
    pub fn spawn_blocking<F>(self, body: F)
    where
        F: FnOnce() -> S::Answer + Send + 'static,
    {
        let Some((refresher, finish)) = self.0.map(|both| *both) else { return };
        runtime::background().spawn_blocking(move || {
            if let Some(leader) = runtime::wait(refresher.lease()) {
                let leading = Lead::new(leader, finish).enter();
                leading.finish(body());
            }
        });
    }
}
