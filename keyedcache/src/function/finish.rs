//! What becomes of an answer that a body has returned.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::cache::{Call, Core, Decode, Leader, Limits, Plan, Value, take};
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
use crate::store::{KeyDigest, StoredKey};
use crate::{Moment, TimedOut};

use super::begun::decode_stored;
use super::site::{Function, Site};

/// What finishing a call needs, noted when it began.
pub(super) struct Finish<S: Shape> {
    site: &'static Site,
    function: Arc<Function>,
    plan: Arc<Plan>,
    shape: S,
    /// `None` where nothing is kept near.
    near: Option<ToNear<S::Stored>>,
    limits: Limits,
    /// `None` where time is not limited.
    key: Option<Box<str>>,
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
        key: &str,
        arguments: &A,
    ) -> Self {
        let near = (function.near > 0).then(|| ToNear {
            noted: Noted::now(epoch, KeyDigest::of(key)),
            put: put_under(Owned::of(arguments)),
        });
        let plan = function.plan_of(arguments);
        let limits = Limits::from_now(&plan.policy);
        let key = plan.policy.hard_timeout.map(|_| key.into());
        Self { site, function, plan, shape, near, limits, key }
    }

    pub(super) fn call(&self, key: StoredKey, decode: Decode) -> Call {
        Call { plan: Arc::clone(&self.plan), key, decode, limits: self.limits }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// What a caller learns that got no answer in time.
    pub(super) fn timed_out(&self) -> TimedOut {
        let key = self.key.as_ref().map_or("", |key| self.function.text_of(key));
        TimedOut::new(key, self.plan.policy.hard_timeout.unwrap_or_default())
    }

    /// What is stored under the stored key of this text, if the store shows it and it is fresh, and
    /// until when that is.
    pub(super) fn hit(&self, key: &str) -> Option<(S::Stored, Moment)> {
        if S::LOCAL {
            return None;
        }
        self.plan.hit(key, self.plan.policy.early, decode_stored::<S>)
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub(super) fn shape(&self) -> S {
        self.shape
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        self.function.core()
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.core().counters
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

    /// What is to be stored of this answer, and for how long; `None` if it is not to be.
    pub(super) fn to_store<'a>(&self, answer: &'a S::Answer) -> Option<(Timeout, &'a S::Stored)> {
        self.timeout(answer).zip(self.shape.stored(answer))
    }

    async fn finish(mut self, mut leader: Box<Leader>, answer: S::Answer) -> S::Answer {
        if self.shape.is_err(&answer) {
            leader = match leader.fail_over().await {
                Ok(older) => return take(older).map_or(answer, |old| self.shape.answer(old)),
                Err(leader) => leader,
            };
        }
        let Some((timeout, stored)) = self.to_store(&answer) else {
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
    pub(super) async fn put(
        mut self,
        value: &Value,
        to_store: Option<(Timeout, S::Stored)>,
    ) -> Result<(), Error> {
        let Some((timeout, ref stored)) = to_store else { return Ok(()) };
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
pub struct Alone<S: Shape>(Option<Box<(Finish<S>, Option<Shared>)>>);

impl<S: Shape> Alone<S> {
    pub(super) fn new(finish: Finish<S>, on_error: Option<Shared>) -> Self {
        let needed = on_error.is_some() || finish.limits.end(false).is_some();
        Self(needed.then(|| Box::new((finish, on_error))))
    }

    /// What was noted of the call, where anything hangs on it.
    pub(super) fn finishing(&self) -> Option<&Finish<S>> {
        self.0.as_deref().map(|(finish, _)| finish)
    }

    /// The older answer, if there is one.
    pub(super) fn older(&self) -> Option<&Shared> {
        self.0.as_deref().and_then(|(_, older)| older.as_ref())
    }

    /// Returns the answer, or the older one if computing failed and there is one for that.
    #[inline(never)]
    pub fn finish(self, answer: S::Answer) -> S::Answer {
        match self.0.map(|both| *both) {
            Some((finish, Some(older))) if finish.shape.is_err(&answer) => {
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

    /// What was noted of the call.
    pub(super) fn finishing(&self) -> &Finish<S> {
        &self.0.1
    }

    /// The older answer, if there is one.
    pub(super) fn older(&self) -> Option<&Shared> {
        self.0.0.older()
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
