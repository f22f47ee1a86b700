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
use crate::codec;
use crate::error::Error;
use crate::flight::Shared;
use crate::key::{KeyParts, Lookup};
use crate::record::Header;
use crate::runtime;
use crate::shape::Shape;

use super::finish::{Alone, Finish, Lead, Refresh};
use super::site::Site;

/// What a caller is to do.
pub enum Begun<S: Shape> {
    /// Return this.
    Answer(S::Answer),
    /// Compute, and finish with what came of it; nothing is stored.
    Alone(Alone<S>),
    /// Compute, and hand the answer over.
    Lead(Lead<S>),
    /// Return this, and see that it is refreshed.
    Stale(S::Answer, Refresh<S>),
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
        begin_boxed(site, shape, arguments).await
    }
}

/// Boxed, and in a frame of its own, since what calls it is on the stack while the body runs: a
/// recursion would carry the future's size at every level.
#[inline(never)]
fn begin_boxed<'a, S: Shape, A: KeyParts + Sync>(
    site: &'static Site,
    shape: S,
    arguments: &'a A,
) -> Pin<Box<dyn Future<Output = Begun<S>> + Send + 'a>> {
    Box::pin(begin_slowly(site, shape, arguments))
}

/// Looks for the answer of a sync function.
#[inline]
pub fn begin_wait<S: Shape, A: KeyParts>(site: &'static Site, shape: S, arguments: &A) -> Begun<S> {
    if let Some(answer) = near_answer(site, shape, arguments) {
        return Begun::Answer(answer);
    }
    begin_and_wait(site, shape, arguments)
}

#[inline(never)]
fn begin_and_wait<S: Shape, A: KeyParts>(site: &'static Site, shape: S, arguments: &A) -> Begun<S> {
    runtime::wait(begin_slowly(site, shape, arguments))
}

/// The near cache's answer: no await, no lock but a shard's, no allocation.
#[inline]
fn near_answer<S: Shape, A: KeyParts>(
    site: &'static Site,
    shape: S,
    arguments: &A,
) -> Option<S::Answer> {
    let near = site.near::<A::Identities, S::Stored>()?;
    let stored = near.get(&Lookup(arguments), &site.epoch)?;
    site.near_hits.count();
    Some(shape.answer(stored))
}

async fn begin_slowly<S: Shape, A: KeyParts>(
    site: &'static Site,
    shape: S,
    arguments: &A,
) -> Begun<S> {
    let epoch = site.epoch.note();
    let function = site.function();
    let key = function.stored_key(arguments);
    let finish = Finish::new(site, function, shape, epoch, &key, arguments);
    let call = finish.call(key, decode::<S>);
    let begin = if S::LOCAL { call.begin_local().await } else { call.begin().await };
    begun(begin, finish, || near_answer(site, shape, arguments))
}

fn begun<S: Shape>(
    begin: Begin,
    mut finish: Finish<S>,
    near: impl FnOnce() -> Option<S::Answer>,
) -> Begun<S> {
    let shape = finish.shape();
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
            None => Begun::Alone(Alone::new(finish, None)),
        },
        Begin::Answer { value, until } => match take::<S::Stored>(value) {
            Some(stored) => {
                if let Some(until) = until {
                    finish.put_near(&stored, until);
                }
                Begun::Answer(shape.answer(stored))
            }
            None => Begun::Alone(Alone::new(finish, None)),
        },
        Begin::Stale { value, refresh } => match take::<S::Stored>(value) {
            Some(stored) => Begun::Stale(shape.answer(stored), Refresh::new(refresh, finish)),
            None => Begun::Alone(Alone::new(finish, None)),
        },
    }
}

/// Reads the payload of a record as what this shape stores.
pub(super) fn decode<S: Shape>(header: &Header, payload: &Bytes) -> Result<Shared, Error> {
    struct Stored<'a>(&'a Header, &'a Bytes);
    impl crate::shape::Decode for Stored<'_> {
        fn decode<T: serde::de::DeserializeOwned + 'static>(self) -> Result<T, Error> {
            codec::decode_payload(self.0, self.1)
        }
    }
    let stored = S::decode(Stored(header, payload));
    let stored = stored.expect("a local function reads no records")?;
    Ok(Arc::new(stored))
}
