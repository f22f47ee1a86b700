//! What an expansion does: begin, the user's body, finish.
//!
//! The body stays where the user wrote it; here is only what comes before and after it. The types
//! of a function's answer and arguments come no deeper than this module: the path of a call, in
//! [`cache`](crate::cache), is compiled once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::cache::{Begin, take};
use crate::codec::{self, Coding};
use crate::error::Error;
use crate::flight::Shared;
use crate::key::{KeyParts, Lookup};
use crate::record::Header;
use crate::runtime;
use crate::shape::Shape;
use crate::store::StoredKey;

use super::away::Away;
use super::finish::{Alone, Finish, Lead};
use super::site::Site;

/// What a caller is to do.
pub enum Begun<S: Shape> {
    /// Return this.
    Answer(S::Answer),
    /// Compute, and finish with what came of it; nothing is stored.
    Alone(Alone<S>),
    /// Compute, and hand the answer over.
    Lead(Lead<S>),
}

/// Looks for the answer of an async function.
#[allow(clippy::manual_async_fn)] // says that it is `Send`, whoever calls it
pub fn begin<'a, S: Shape, A: KeyParts + Sync>(
    site: &'static Site,
    shape: S,
    arguments: &'a A,
) -> impl Future<Output = Begun<S>> + Send + use<'a, S, A> {
    async move {
        if let Some(answer) = near_answer(site, shape, arguments) {
            return Begun::Answer(answer);
        }
        let missed = match shown_answer(site, shape, arguments) {
            Ok(answer) => return Begun::Answer(answer),
            Err(missed) => missed,
        };
        begin_boxed(missed, site, arguments).await
    }
}

/// The same of one that can be computed away from its caller.
#[allow(clippy::manual_async_fn)]
pub fn begin_away<'a, S: Shape, A: KeyParts + Sync>(
    site: &'static Site,
    shape: S,
    arguments: &'a A,
) -> impl Future<Output = Result<Begun<S>, Away<S>>> + Send + use<'a, S, A> {
    async move {
        if let Some(answer) = near_answer(site, shape, arguments) {
            return Ok(Begun::Answer(answer));
        }
        let missed = match shown_answer(site, shape, arguments) {
            Ok(answer) => return Ok(Begun::Answer(answer)),
            Err(missed) => missed,
        };
        begin_away_boxed(missed, site, arguments).await
    }
}

/// What is boxed, and in a frame of its own, since what calls it is on the stack while the body runs:
/// a recursion would carry the future's size at every level.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[inline(never)]
fn begin_boxed<'a, S: Shape, A: KeyParts + Sync>(
    missed: Missed<S>,
    site: &'static Site,
    arguments: &'a A,
) -> Boxed<'a, Begun<S>> {
    Box::pin(begin_slowly(missed, site, arguments))
}

#[inline(never)]
fn begin_away_boxed<'a, S: Shape, A: KeyParts + Sync>(
    missed: Missed<S>,
    site: &'static Site,
    arguments: &'a A,
) -> Boxed<'a, Result<Begun<S>, Away<S>>> {
    Box::pin(begin_away_slowly(missed, site, arguments))
}

/// Looks for the answer of a sync function.
#[inline]
pub fn begin_wait<S: Shape, A: KeyParts>(site: &'static Site, shape: S, arguments: &A) -> Begun<S> {
    if let Some(answer) = near_answer(site, shape, arguments) {
        return Begun::Answer(answer);
    }
    match shown_answer(site, shape, arguments) {
        Ok(answer) => Begun::Answer(answer),
        Err(missed) => begin_and_wait(missed, site, arguments),
    }
}

#[inline(never)]
fn begin_and_wait<S: Shape, A: KeyParts>(
    missed: Missed<S>,
    site: &'static Site,
    arguments: &A,
) -> Begun<S> {
    runtime::wait(begin_slowly(missed, site, arguments))
}

/// The same of one that can be computed away from its caller.
#[inline]
pub fn begin_away_wait<S: Shape, A: KeyParts>(
    site: &'static Site,
    shape: S,
    arguments: &A,
) -> Result<Begun<S>, Away<S>> {
    if let Some(answer) = near_answer(site, shape, arguments) {
        return Ok(Begun::Answer(answer));
    }
    match shown_answer(site, shape, arguments) {
        Ok(answer) => Ok(Begun::Answer(answer)),
        Err(missed) => begin_away_and_wait(missed, site, arguments),
    }
}

#[inline(never)]
fn begin_away_and_wait<S: Shape, A: KeyParts>(
    missed: Missed<S>,
    site: &'static Site,
    arguments: &A,
) -> Result<Begun<S>, Away<S>> {
    runtime::wait(begin_away_slowly(missed, site, arguments))
}

/// The near cache's answer: no await, no lock, no allocation.
#[inline]
fn near_answer<S: Shape, A: KeyParts>(
    site: &'static Site,
    shape: S,
    arguments: &A,
) -> Option<S::Answer> {
    let near = site.near::<A::Identities, S::Stored>()?;
    let stored = near.get(&Lookup(arguments), &site.epoch, || site.near_hits.count())?;
    Some(shape.answer(stored))
}

/// A call that goes the long way: what was noted when it began, and its key in its stored form.
type Missed<S> = Box<(Finish<S>, String)>;

/// The answer, if the store shows a fresh one: no await, and but for the value no allocation that
/// lasts.
#[inline(never)]
fn shown_answer<S: Shape, A: KeyParts>(
    site: &'static Site,
    shape: S,
    arguments: &A,
) -> Result<S::Answer, Missed<S>> {
    let epoch = site.epoch.note();
    let function = site.function();
    let key = function.stored_text(arguments);
    let mut finish = Finish::new(site, function, shape, epoch, &key, arguments);
    match finish.hit(&key) {
        Some((stored, until)) => {
            finish.put_near(&stored, until);
            Ok(shape.answer(stored))
        }
        None => Err(Box::new((finish, key))),
    }
}

async fn begin_slowly<S: Shape, A: KeyParts>(
    missed: Missed<S>,
    site: &'static Site,
    arguments: &A,
) -> Begun<S> {
    let (begin, finish) = begin_call(missed).await;
    let shape = finish.shape();
    begun(begin, finish, || near_answer(site, shape, arguments))
}

async fn begin_away_slowly<S: Shape, A: KeyParts>(
    missed: Missed<S>,
    site: &'static Site,
    arguments: &A,
) -> Result<Begun<S>, Away<S>> {
    let (begin, finish) = begin_call(missed).await;
    let shape = finish.shape();
    match begin {
        Begin::Stale { value, refresh: Some(refresher) } => match take::<S::Stored>(value) {
            Some(stored) => Err(Away::refresh(shape.answer(stored), refresher, finish)),
            None => Away::or(Begun::Alone(Alone::new(finish, None))),
        },
        begin => Away::or(begun(begin, finish, || near_answer(site, shape, arguments))),
    }
}

async fn begin_call<S: Shape>(missed: Missed<S>) -> (Begin, Finish<S>) {
    let (finish, key) = *missed;
    let call = finish.call(StoredKey::new(key), decode::<S>);
    let begin = if S::LOCAL { Box::pin(call.begin_local()).await } else { call.begin().await };
    (begin, finish)
}

fn begun<S: Shape>(
    begin: Begin,
    mut finish: Finish<S>,
    near: impl FnOnce() -> Option<S::Answer>,
) -> Begun<S> {
    let shape = finish.shape();
    let alone = |finish| Begun::Alone(Alone::new(finish, None));
    match begin {
        Begin::Alone(on_error) => {
            finish.counters().computed_alone.count();
            Begun::Alone(Alone::new(finish, on_error))
        }
        Begin::Lead(leader) => {
            // Of a local function the near cache is all there is, and another may just have put
            // its answer there.
            match if S::LOCAL { near() } else { None } {
                Some(answer) => Begun::Answer(answer),
                None => Begun::Lead(Lead::new(leader, finish)),
            }
        }
        Begin::Error(error) => match shape.answer_of_error(&error) {
            Some(answer) => Begun::Answer(answer),
            None => alone(finish),
        },
        Begin::TimedOut => match shape.timed_out(finish.timed_out()) {
            Some(answer) => Begun::Answer(answer),
            None => alone(finish),
        },
        Begin::Answer { value, until } => match take::<S::Stored>(value) {
            Some(stored) => {
                if let Some(until) = until {
                    finish.put_near(&stored, until);
                }
                Begun::Answer(shape.answer(stored))
            }
            None => alone(finish),
        },
        // Who cannot compute away from the caller has nobody to refresh it.
        Begin::Stale { value, .. } => match take::<S::Stored>(value) {
            Some(stored) => Begun::Answer(shape.answer(stored)),
            None => alone(finish),
        },
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
