//! What becomes of an answer that a body has returned.

use std::sync::Arc;

use crate::cache::{Boxed, Call, Core, Decode, Leader, Limits, Plan, Value, take};
use crate::codec::Codec;
use crate::error::Error;
use crate::flight::Shared;
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
        let plan = function.plan_of(&arguments.scopes());
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

    /// What becomes of the answer; with it what of it goes to those who wait.
    fn ending(&mut self, leader: &mut Leader, answer: &S::Answer) -> (Ending, Option<S::Stored>) {
        if self.shape.is_err(answer) && leader.older().is_some() {
            return (Ending::FailOver, None);
        }
        let Some((timeout, stored)) = self.to_store(answer) else {
            return (Ending::Declined(self.shape.share_error(answer)), None);
        };
        let kept = Some(stored.clone());
        if S::LOCAL {
            return (Ending::Kept(Some(self.function.core().fresh_from_now(timeout))), kept);
        }
        if !leader.can_save() {
            return (Ending::Kept(None), kept);
        }
        let header = leader.header(timeout);
        match self.seal(&header, stored) {
            Ok(record) => {
                leader.before_save();
                self.note_at_save();
                (Ending::Saved(Box::new((header, record))), kept)
            }
            Err(error) => {
                leader.unencodable(&error);
                (Ending::Kept(None), kept)
            }
        }
    }

    /// Hands the answer to whoever waits, and returns it.
    fn ended(mut self, ended: Ended, kept: Option<S::Stored>, answer: S::Answer) -> S::Answer {
        match ended {
            Ended::FailedOver(older) => take(older).map_or(answer, |old| self.shape.answer(old)),
            Ended::Declined => answer,
            Ended::Kept(leader, until) => {
                if let Some(stored) = kept {
                    if let Some(until) = until {
                        self.put_near(&stored, until);
                    }
                    leader.answered(Arc::new(stored));
                }
                answer
            }
        }
    }

    /// Saves the answer, and returns it.
    pub(super) async fn finish(mut self, mut leader: Box<Leader>, answer: S::Answer) -> S::Answer {
        let (ending, kept) = self.ending(&mut leader, &answer);
        let ended = end(leader, ending).await;
        self.ended(ended, kept, answer)
    }

    /// The same of a sync function.
    pub(super) fn finish_and_wait(
        mut self,
        mut leader: Box<Leader>,
        answer: S::Answer,
    ) -> S::Answer {
        let (ending, kept) = self.ending(&mut leader, &answer);
        let ended = wait_for_end(leader, ending);
        self.ended(ended, kept, answer)
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
}

/// What is to become of an answer.
enum Ending {
    /// It failed, and an older one stands in for it.
    FailOver,
    /// It is not to be stored. With its error, if that can be shared.
    Declined(Option<Shared>),
    /// No store gets it. The near cache keeps it until then.
    Kept(Option<Moment>),
    /// It is saved.
    Saved(Box<(Header, Record)>),
}

/// What has become of an answer.
enum Ended {
    FailedOver(Shared),
    Declined,
    /// Those who wait are still to get it, and the near cache may keep it until then.
    Kept(Box<Leader>, Option<Moment>),
}

/// Not generic, and boxed as `dyn`, so that it is compiled here and not in every crate that caches
/// something.
fn end(leader: Box<Leader>, ending: Ending) -> Boxed<'static, Ended> {
    Box::pin(end_here(leader, ending))
}

fn wait_for_end(leader: Box<Leader>, ending: Ending) -> Ended {
    runtime::wait(end_here(leader, ending))
}

async fn end_here(mut leader: Box<Leader>, ending: Ending) -> Ended {
    match ending {
        Ending::FailOver => match leader.fail_over().await {
            Ok(older) => Ended::FailedOver(older),
            Err(leader) => Ended::Kept(leader, None),
        },
        Ending::Declined(error) => {
            leader.declined(error).await;
            Ended::Declined
        }
        Ending::Kept(until) => Ended::Kept(leader, until),
        Ending::Saved(saved) => {
            let (header, record) = *saved;
            let until = leader.save(&header, record).await;
            Ended::Kept(leader, until)
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
        near.put(key, stored, deadline, (noted, &site.state().epoch), function.voucher.as_ref());
    })
}
