//! What can be asked of a function besides its answer.

use std::future::Future;
use std::sync::Arc;

use crate::cache::{Boxed, Request, Value, take};
use crate::error::{Error, NotCachedError, NotCachedReason};
use crate::key::{Key, KeyParts, text_of};
use crate::shape::Shape;
use crate::store::{Severity, StoredKey};

use super::begun::{Asking, Looking, Noted, decode};
use super::computing::Lead;
use super::finish::Finish;
use super::notes::Notes;
use super::site::Site;

/// Forgets every call of a function.
pub fn invalidate_all(site: &'static Site) -> Asked<Result<(), Error>> {
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
fn forget(value: Value, is_local: bool) -> Asked<Result<(), Error>> {
    Request::new(Box::pin(async move {
        if is_local {
            value.changed_here();
            return Ok(());
        }
        value.delete().await.map(drop)
    }))
}

impl<S: Shape, A: KeyParts> Asking<S, A> {
    /// The key of the call.
    pub fn key(self) -> Key {
        self.site.function().key(&self.arguments)
    }

    /// What is cached, without computing.
    pub fn peek(self) -> Asked<Result<S::Answer, NotCachedError>> {
        self.call().peek()
    }

    /// Forgets what is cached.
    pub fn invalidate(self) -> Asked<Result<(), Error>> {
        forget(self.call().value, S::LOCAL)
    }

    /// Caches an answer that was not computed here. One that would not have been stored is not.
    #[allow(clippy::needless_pass_by_value)] // the user's `put` passes it on
    pub fn put(self, answer: S::Answer) -> Asked<Result<(), Error>> {
        self.call().put(&answer)
    }

    /// The call apart from its arguments.
    pub fn call(self) -> Call<S> {
        let Noted { finish, key, local } = self.noted();
        let Notes { plan, function, .. } = finish.notes();
        let key = StoredKey::new(key);
        let value =
            Value { plan: Arc::clone(plan), key: function.key(&self.arguments), stored: key };
        Call { value, finish: Box::new(finish), local }
    }
}

/// A sync function, to be called with these arguments.
///
/// A closure that calls it would be one more body for the compiler, of each annotated function.
pub trait Body<Arguments> {
    /// What it answers.
    type Answer;

    /// Calls it.
    fn run(self, arguments: Arguments) -> Self::Answer;
}

macro_rules! bodies {
    ($(($($argument:ident: $type:ident),*))*) => {$(
        impl<F: FnOnce($($type),*) -> R, R, $($type),*> Body<($($type,)*)> for F {
            type Answer = R;

            #[inline]
            fn run(self, ($($argument,)*): ($($type,)*)) -> R {
                self($($argument),*)
            }
        }
    )*};
}

with_up_to_eight_arguments!(bodies);

/// A request of which nothing is known but what it answers.
pub type Asked<T> = Request<Boxed<'static, T>>;

/// One call of one function: what its companions work on. Borrows nothing.
#[must_use]
pub struct Call<S: Shape> {
    value: Value,
    finish: Box<Finish<S>>,
    local: Option<Looking<S::Stored>>,
}

impl<S: Shape> Call<S> {
    fn peek(self) -> Asked<Result<S::Answer, NotCachedError>> {
        let Self { finish, value, local } = self;
        Request::new(Box::pin(async move {
            if let Some(look) = local {
                return look()
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
    pub fn refresh_sync<F, Arguments>(
        self,
        body: F,
        arguments: Arguments,
    ) -> Request<impl Future<Output = S::Answer> + use<S, F, Arguments>>
    where
        F: Body<Arguments, Answer = S::Answer>,
    {
        Request::new(async move {
            match self.begin_anew().await {
                Some(lead) => lead.lead(Box::pin(async move { body.run(arguments) })).await,
                None => body.run(arguments),
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

    fn put(self, answer: &S::Answer) -> Asked<Result<(), Error>> {
        let Self { finish, value, .. } = self;
        // Of the answer only what is stored must be `Send`.
        let to_store = finish.to_store(answer).map(|(timeout, stored)| (timeout, stored.clone()));
        Request::new(Box::pin(async move { finish.put(&value, to_store).await }))
    }
}
