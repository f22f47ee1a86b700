//! What becomes of an answer that a body has returned.

use std::sync::Arc;

use crate::Moment;
use crate::cache::{Boxed, Call, Core, Decode, Leader, Value, take};
use crate::codec::Codec;
use crate::error::Error;
use crate::flight::Shared;
use crate::near::{self, Kept};
use crate::observe::Counters;
use crate::policy::Timeout;
use crate::record::{Header, Record};
use crate::runtime;
use crate::shape::{Encode, Shape};
use crate::store::StoredKey;

use super::begun::decode_stored;
use super::notes::Notes;

/// What finishing a call needs, noted when it began.
pub(super) struct Finish<S: Shape> {
    notes: Notes,
    shape: S,
    /// `None` where nothing is kept near.
    keeping: Option<Keeping<S::Stored>>,
}

/// Makes what is kept near of a value, with the arguments that it was made from.
pub(super) type Keeping<V> = Box<dyn FnOnce(V) -> Kept + Send + Sync>;

impl<S: Shape> Finish<S> {
    /// Of a call that notes were made of before any store is asked.
    pub(super) fn new(notes: Notes, shape: S, keeping: Option<Keeping<S::Stored>>) -> Self {
        Self { notes, shape, keeping }
    }

    pub(super) fn call(&self, key: StoredKey, decode: Decode) -> Call {
        let Notes { plan, limits, .. } = &self.notes;
        Call { plan: Arc::clone(plan), key, decode, limits: *limits }
    }

    /// What is stored under the stored key of this text, if the store shows it and it is fresh, and
    /// until when that is.
    pub(super) fn hit(&self, key: &str) -> Option<(S::Stored, Moment)> {
        if S::LOCAL {
            return None;
        }
        let plan = &self.notes.plan;
        plan.hit(key, plan.policy.early, decode_stored::<S>)
    }

    pub(super) fn notes(&self) -> &Notes {
        &self.notes
    }

    pub(super) fn shape(&self) -> S {
        self.shape
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.notes.core().counters
    }

    /// Keeps an answer near that is fresh until `until` by the store's clock.
    pub(super) fn put_near(&mut self, stored: &S::Stored, until: Moment) {
        if let Some(keeping) = self.keeping.take() {
            self.notes.put_near(until, keeping(stored.clone()));
        }
    }

    /// Voids what is kept near of this key, or will be by whoever computes it now; but for what comes
    /// of this call.
    pub(super) fn void_near(&mut self, key: &StoredKey) {
        near::drop_key(key.digest());
        self.notes.note_anew();
    }

    /// How long this answer is fresh; `None` if it is not to be stored.
    fn timeout(&self, answer: &S::Answer) -> Option<Timeout> {
        let policy = &self.notes.plan.policy;
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
            return (Ending::Kept(Some(self.notes.core().fresh_from_now(timeout))), kept);
        }
        if !leader.can_save() {
            return (Ending::Kept(None), kept);
        }
        let header = leader.header(timeout);
        match self.seal(&header, stored) {
            Ok(record) => {
                leader.before_save();
                self.notes.note_at_save();
                (Ending::Saved(Box::new((header, record))), kept)
            }
            Err(error) => {
                leader.unencodable(&error);
                (Ending::Kept(None), kept)
            }
        }
    }

    /// Saves the answer, and returns it.
    pub(super) async fn finish(self, leader: Box<Leader>, answer: S::Answer) -> S::Answer {
        let (ended, last) = self.begin_end(leader, &answer);
        let ended = ended.await;
        last.ended(ended, answer)
    }

    /// Begins to save the answer; with it comes what is still to do then.
    pub(super) fn begin_end(
        mut self,
        mut leader: Box<Leader>,
        answer: &S::Answer,
    ) -> (Boxed<'static, Ended>, Last<S>) {
        let (ending, kept) = self.ending(&mut leader, answer);
        (end(leader, ending), Last { finish: self, kept })
    }

    /// The same of a sync function.
    pub(super) fn finish_and_wait(
        mut self,
        mut leader: Box<Leader>,
        answer: S::Answer,
    ) -> S::Answer {
        let (ending, kept) = self.ending(&mut leader, &answer);
        let ended = wait_for_end(leader, ending);
        Last { finish: self, kept }.ended(ended, answer)
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
            if self.notes.core().is_enabled() {
                // A new write: what was forgotten before it is no matter.
                self.notes.note_anew();
                let until = self.notes.core().fresh_from_now(timeout);
                self.put_near(stored, until);
            }
            return Ok(());
        }
        if !self.notes.core().is_enabled() {
            return Ok(());
        }
        let header = value.header(timeout).await?;
        let record = self.seal(&header, stored).map_err(|error| error.with("key", &value.key))?;
        value.replace(&header, record).await
    }

    fn seal(&self, header: &Header, stored: &S::Stored) -> Result<Record, Error> {
        let sealed = self
            .shape
            .encode(stored, Seal { core: self.notes.core(), codec: self.notes.plan.codec, header });
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

/// What is still to do when it is known what has become of an answer.
pub(super) struct Last<S: Shape> {
    finish: Finish<S>,
    /// What of the answer goes to those who wait.
    kept: Option<S::Stored>,
}

impl<S: Shape> Last<S> {
    /// Hands the answer to whoever waits, and returns it.
    fn ended(self, ended: Ended, answer: S::Answer) -> S::Answer {
        let Self { mut finish, kept } = self;
        match ended {
            Ended::FailedOver(older) => take(older).map_or(answer, |old| finish.shape.answer(old)),
            Ended::Declined => answer,
            Ended::Kept(leader, until) => {
                if let Some(stored) = kept {
                    if let Some(until) = until {
                        finish.put_near(&stored, until);
                    }
                    leader.answered(Arc::new(stored));
                }
                answer
            }
        }
    }
}

/// The same, of whatever shape the answer is.
pub(super) trait Ends<A>: Send + Sync {
    /// Hands the answer to whoever waits, and returns it.
    fn ended(self: Box<Self>, ended: Ended, answer: A) -> A;
}

impl<S: Shape> Ends<S::Answer> for Last<S> {
    fn ended(self: Box<Self>, ended: Ended, answer: S::Answer) -> S::Answer {
        Last::ended(*self, ended, answer)
    }
}

/// What has become of an answer.
pub(super) enum Ended {
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
