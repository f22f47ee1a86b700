//! What an expansion does: begin, the user's body, finish.
//!
//! The body stays where the user wrote it; here is only what comes before and after it. The types
//! of a function's answer and arguments come no deeper than this module: the path of a call, in
//! [`cache`](crate::cache), is compiled once.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use crate::cache::{Begin, Boxed, Call, take};
use crate::codec::{self, Coding};
use crate::error::Error;
use crate::flight::Shared;
use crate::key::KeyParts;
use crate::near::kept;
use crate::record::Header;
use crate::runtime;
use crate::shape::Shape;
use crate::store::StoredKey;

use super::away::Away;
use super::computing::{Computing, Entered};
use super::finish::{Finish, Keeping};
use super::notes::Notes;
use super::site::Site;

/// What a caller is to do.
pub enum Begun<A, C> {
    /// Return this.
    Answer(A),
    /// Compute, and finish with what came of it.
    Compute(C),
}

/// What the caller of an async function is to do.
pub(super) type BegunAsync<S> = Begun<<S as Shape>::Answer, Computing<S>>;

/// What the caller of a sync function is to do.
pub(super) type BegunSync<S> = Begun<<S as Shape>::Answer, Entered<S>>;

impl<S: Shape> BegunAsync<S> {
    /// The same for a caller that is sync.
    fn enter(self) -> BegunSync<S> {
        match self {
            Self::Answer(answer) => Begun::Answer(answer),
            Self::Compute(computing) => Begun::Compute(computing.enter()),
        }
    }
}

/// One call: whose it is, what comes of it, and what its key is made of.
#[must_use]
pub struct Asking<S, A> {
    /// Whose.
    pub site: &'static Site,
    /// What comes of it.
    pub shape: S,
    /// What its key is made of.
    pub arguments: A,
}

/// Looks for the answer of an async function, where none is [at hand](Asking::at_hand).
#[allow(clippy::needless_pass_by_value)] // the caller has no other use for it
pub fn begin<S: Shape, A: KeyParts>(
    asking: Asking<S, A>,
) -> impl Future<Output = BegunAsync<S>> + Send + use<S, A> {
    let noted = asking.noted();
    async move {
        let (missed, call) = match noted.shown_answer() {
            Ok(answer) => return Begun::Answer(answer),
            Err(missed) => missed,
        };
        missed.begun(begin_call(call, S::LOCAL).await)
    }
}

/// The same of one that can be computed away from its caller.
#[allow(clippy::needless_pass_by_value)]
pub fn begin_away<S: Shape, A: KeyParts>(
    asking: Asking<S, A>,
) -> impl Future<Output = Result<BegunAsync<S>, Away<S>>> + Send + use<S, A> {
    let noted = asking.noted();
    async move {
        let (missed, call) = match noted.shown_answer() {
            Ok(answer) => return Ok(Begun::Answer(answer)),
            Err(missed) => missed,
        };
        missed.begun_away(begin_call(call, S::LOCAL).await)
    }
}

/// Looks for the answer of a sync function; if there is none, this thread runs the body from here on.
#[inline]
#[allow(clippy::needless_pass_by_value)]
pub fn begin_wait<S: Shape, A: KeyParts>(asking: Asking<S, A>) -> BegunSync<S> {
    match asking.at_hand() {
        Some(answer) => Begun::Answer(answer),
        None => begin_wait_slowly(asking.noted()),
    }
}

#[inline(never)]
pub(super) fn begin_wait_slowly<S: Shape>(noted: Noted<S>) -> BegunSync<S> {
    match noted.shown_answer() {
        Ok(answer) => Begun::Answer(answer),
        Err((missed, call)) => missed.begun(wait_for_call(call, S::LOCAL)).enter(),
    }
}

/// The same of one that can be computed away from its caller.
#[inline]
#[allow(clippy::needless_pass_by_value)]
pub fn begin_away_wait<S: Shape, A: KeyParts>(
    asking: Asking<S, A>,
) -> Result<BegunSync<S>, Away<S>> {
    match asking.at_hand() {
        Some(answer) => Ok(Begun::Answer(answer)),
        None => begin_away_wait_slowly(asking.noted()),
    }
}

#[inline(never)]
fn begin_away_wait_slowly<S: Shape>(noted: Noted<S>) -> Result<BegunSync<S>, Away<S>> {
    match noted.shown_answer() {
        Ok(answer) => Ok(Begun::Answer(answer)),
        Err((missed, call)) => missed.begun_away(wait_for_call(call, S::LOCAL)).map(Begun::enter),
    }
}

/// The path of a call. Not generic, and boxed as `dyn`, so that it is compiled here and not in every
/// crate that caches something.
fn begin_call(call: Call, is_local: bool) -> Boxed<'static, Begin> {
    Box::pin(begin_here(call, is_local))
}

fn wait_for_call(call: Call, is_local: bool) -> Begin {
    runtime::wait(begin_here(call, is_local))
}

async fn begin_here(call: Call, is_local: bool) -> Begin {
    if is_local { Box::pin(call.begin_local()).await } else { call.begin().await }
}

impl<S: Shape, A: KeyParts> Asking<S, A> {
    /// The near cache's answer: no await, no lock, no allocation.
    #[inline]
    pub fn at_hand(&self) -> Option<S::Answer> {
        let (state, near) = self.site.near()?;
        let stored = near.get(&self.arguments, &state.epoch, || state.near_hits.count())?;
        Some(self.shape.answer(stored))
    }

    /// What goes the long way. The types of the arguments end here.
    #[inline(never)]
    pub(super) fn noted(&self) -> Noted<S> {
        let Self { site, shape, ref arguments } = *self;
        let (notes, key) = Notes::now(site, arguments, &|near| near.hash(arguments));
        let keeping = notes.keeps_near().then(|| {
            let identities = arguments.identities();
            Box::new(move |stored| kept(identities, stored)) as Keeping<S::Stored>
        });
        // Not `then`: what a branch never needs is not even compiled.
        let local = if S::LOCAL {
            let identities = arguments.identities();
            let look = move || {
                let (state, near) = site.near()?;
                near.get(&identities, &state.epoch, || ())
            };
            Some(Box::new(look) as Looking<S::Stored>)
        } else {
            None
        };
        Noted { finish: Finish::new(notes, shape, keeping), key, local }
    }
}

/// What is kept near of a local function, whose store that is.
pub(super) type Looking<V> = Box<dyn Fn() -> Option<V> + Send + Sync>;

/// A call that no answer was at hand for.
pub(super) struct Noted<S: Shape> {
    finish: Finish<S>,
    /// The text of its stored key.
    key: String,
    /// Of a local function only.
    local: Option<Looking<S::Stored>>,
}

impl<S: Shape> Noted<S> {
    /// The answer, if the store shows a fresh one: no await, and but for the value no allocation
    /// that lasts.
    fn shown_answer(mut self) -> Result<S::Answer, (Missed<S>, Call)> {
        if let Some((stored, until)) = self.finish.hit(&self.key) {
            self.finish.put_near(&stored, until);
            return Ok(self.finish.shape().answer(stored));
        }
        let (missed, key) = self.missed();
        let call = missed.finish.call(StoredKey::new(key), decode::<S>);
        Err((missed, call))
    }

    /// Goes on without the store's answer; with the call comes the text of its stored key.
    pub(super) fn missed(self) -> (Missed<S>, String) {
        let Self { finish, key, local } = self;
        (Missed { finish: Box::new(finish), local }, key)
    }
}

/// A call that asks its store and others, and what was noted when it began.
pub(super) struct Missed<S: Shape> {
    pub(super) finish: Box<Finish<S>>,
    /// Of a local function only.
    pub(super) local: Option<Looking<S::Stored>>,
}

impl<S: Shape> Missed<S> {
    /// What the caller is to do, of whose call this has come.
    fn begun(self, begin: Begin) -> BegunAsync<S> {
        let Self { mut finish, local } = self;
        let shape = finish.shape();
        let (value, until) = match begin {
            Begin::Answer { value, until } => (value, until),
            // Who cannot compute away from the caller has nobody to refresh it.
            Begin::Stale { value, .. } => (value, None),
            Begin::Alone(on_error) => {
                finish.counters().computed_alone.count();
                return Begun::Compute(Computing::alone(finish, on_error));
            }
            Begin::Lead(leader) => {
                // Of a local function the near cache is all there is, and another may just have put
                // its answer there.
                return match local.and_then(|look| look()) {
                    Some(stored) => {
                        finish.counters().near_hits.count();
                        Begun::Answer(shape.answer(stored))
                    }
                    None => Begun::Compute(Computing::lead(leader, finish)),
                };
            }
            Begin::Error(error) => return answer_or_alone(shape.answer_of_error(&error), finish),
            Begin::TimedOut => {
                return answer_or_alone(shape.timed_out(finish.notes().timed_out()), finish);
            }
        };
        let stored = take::<S::Stored>(value);
        if let (Some(stored), Some(until)) = (&stored, until) {
            finish.put_near(stored, until);
        }
        answer_or_alone(stored.map(|stored| shape.answer(stored)), finish)
    }

    /// The same of one that can be computed away from its caller.
    fn begun_away(self, begin: Begin) -> Result<BegunAsync<S>, Away<S>> {
        let Begin::Stale { value, refresh: Some(refresher) } = begin else {
            return Away::or(self.begun(begin));
        };
        let finish = self.finish;
        match take::<S::Stored>(value) {
            Some(stored) => Err(Away::refresh(finish.shape().answer(stored), refresher, finish)),
            None => Away::or(Begun::Compute(Computing::alone(finish, None))),
        }
    }
}

fn answer_or_alone<S: Shape>(answer: Option<S::Answer>, finish: Box<Finish<S>>) -> BegunAsync<S> {
    match answer {
        Some(answer) => Begun::Answer(answer),
        None => Begun::Compute(Computing::alone(finish, None)),
    }
}

/// Reads the payload of a record as what this shape stores.
pub(super) fn decode<S: Shape>(header: &Header, payload: &Bytes) -> Result<Shared, Error> {
    let coding = Coding { codec: header.codec, compressor: header.compressor };
    Ok(Arc::new(decode_stored::<S>(coding, payload)?))
}

/// The same, for nobody to share.
pub(super) fn decode_stored<S: Shape>(coding: Coding, payload: &Bytes) -> Result<S::Stored, Error> {
    struct Stored<'a>(Coding, &'a Bytes);
    impl crate::shape::Decode for Stored<'_> {
        fn decode<T: serde::de::DeserializeOwned + 'static>(self) -> Result<T, Error> {
            codec::decode_coded(self.0, self.1)
        }
    }
    let stored = S::decode(Stored(coding, payload));
    stored.expect("a local function reads no records")
}
