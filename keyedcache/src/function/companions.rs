//! What can be asked of a function besides its answer.

use std::future::Future;
use std::sync::Arc;

use crate::cache::{Boxed, Request, Value, take};
use crate::error::{Error, NotCachedError, NotCachedReason};
use crate::key::{Key, KeyParts, Owned, text_of};
use crate::shape::Shape;
use crate::store::Severity;

use super::begun::decode;
use super::finish::{Finish, Lead};
use super::site::Site;

/// The key of a call.
pub fn key<A: KeyParts>(site: &'static Site, arguments: &A) -> Key {
    site.function().key(arguments)
}

/// Forgets every call of a function.
pub fn invalidate_all(site: &'static Site) -> Request<Boxed<'static, Result<(), Error>>> {
    let function = site.function();
    Request::new(Box::pin(async move {
        let scope = std::slice::from_ref(&function.scope);
        function.core().invalidate(scope, Severity::Hard).await
    }))
}

/// Forgets every call of a function in which the arguments at these bits are these.
pub fn invalidate_scope<A: KeyParts>(
    site: &'static Site,
    bits: u64,
    arguments: &A,
) -> Request<impl Future<Output = Result<(), Error>> + Send + 'static + use<A>> {
    let function = site.function();
    let scope = function.argument_scope(bits, &text_of(arguments));
    Request::new(async move {
        function.core().invalidate(std::slice::from_ref(&scope), Severity::Hard).await
    })
}

/// Not generic, so that it is compiled once.
fn forget(value: Value, is_local: bool) -> Request<Boxed<'static, Result<(), Error>>> {
    Request::new(Box::pin(async move {
        if is_local {
            value.changed_here();
            return Ok(());
        }
        value.delete().await.map(drop)
    }))
}

/// One call of one function: what its companions work on. Borrows nothing.
#[must_use]
pub struct Call<S: Shape> {
    value: Value,
    finish: Finish<S>,
    near: Box<dyn Fn() -> Option<S::Stored> + Send + Sync>,
}

impl<S: Shape> Call<S> {
    /// The call with these arguments.
    pub fn new<A: KeyParts>(site: &'static Site, shape: S, arguments: &A) -> Self {
        let epoch = site.epoch.note();
        let function = site.function();
        let key = function.key(arguments);
        let stored = function.stored_key(arguments);
        let finish = Finish::new(site, function, shape, epoch, stored.as_str(), arguments);
        let value = Value { plan: Arc::clone(finish.plan()), key, stored };
        let near_key = Owned::of(arguments);
        let near = Box::new(move || {
            let near = site.near()?;
            near.get(&near_key, &site.epoch, || ())
        });
        Self { value, finish, near }
    }
}

impl<S: Shape> Call<S> {
    /// What is cached, without computing.
    #[allow(clippy::missing_panics_doc)] // it does not
    pub fn peek(self) -> Request<Boxed<'static, Result<S::Answer, NotCachedError>>> {
        let Self { finish, value, near } = self;
        Request::new(Box::pin(async move {
            if S::LOCAL {
                return near()
                    .map(|stored| finish.shape().answer(stored))
                    .ok_or_else(|| NotCachedError::new(value.key.text(), NotCachedReason::Absent));
            }
            let stored = value.get_as(decode::<S>).await?;
            let stored = take(stored).expect("what decodes as `S` is what `S` stores");
            Ok(finish.shape().answer(stored))
        }))
    }

    /// Computes now and replaces what is cached; takes the lease of whoever computes it.
    ///
    /// What the body returns comes back even where it could not be stored.
    #[inline]
    pub fn refresh<F>(self, body: F) -> Request<impl Future<Output = S::Answer> + use<S, F>>
    where
        F: Future<Output = S::Answer>,
    {
        Request::new(async move {
            match self.begin_anew().await {
                Some(lead) => lead.lead(Box::pin(body)).await,
                None => body.await,
            }
        })
    }

    /// The same of a sync function, whose body runs where the request is polled.
    #[inline]
    pub fn refresh_sync<F>(self, body: F) -> Request<impl Future<Output = S::Answer> + use<S, F>>
    where
        F: FnOnce() -> S::Answer,
    {
        Request::new(async move {
            match self.begin_anew().await {
                Some(lead) => lead.lead(Box::pin(async move { body() })).await,
                None => body(),
            }
        })
    }

    async fn begin_anew(self) -> Option<Lead<S>> {
        let Self { finish, value, .. } = self;
        let call = finish.call(value.stored, decode::<S>);
        let leader =
            if S::LOCAL { call.begin_anew_locally().await } else { call.begin_anew().await };
        leader.map(|leader| Lead::new(leader, finish))
    }

    /// Forgets what is cached.
    pub fn invalidate(self) -> Request<Boxed<'static, Result<(), Error>>> {
        forget(self.value, S::LOCAL)
    }

    /// Caches an answer that was not computed here. One that would not have been stored is not.
    #[allow(clippy::needless_pass_by_value)] // the user's `put` passes it on
    pub fn put(self, answer: S::Answer) -> Request<Boxed<'static, Result<(), Error>>> {
        let Self { finish, value, .. } = self;
        // Of the answer only what is stored must be `Send`.
        let to_store = finish.to_store(&answer).map(|(timeout, stored)| (timeout, stored.clone()));
        Request::new(Box::pin(async move { finish.put(&value, to_store).await }))
    }
}
