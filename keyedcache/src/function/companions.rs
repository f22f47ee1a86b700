//! What can be asked of a function besides its answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::cache::{Boxed, Request, Value, take};
use crate::error::{Error, NotCachedError, NotCachedReason};
use crate::key::{Key, KeyParts, text_of};
use crate::shape::Shape;
use crate::store::{Severity, StoredKey};

use super::begun::{Asking, Missed, decode};
use super::computing::{Lead, Leads};
use super::notes::Notes;
use super::refreshing::Refreshing;
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

    /// The call apart from its arguments.
    pub fn call(self) -> Call<S::Answer> {
        let (missed, key) = self.noted().missed();
        let Notes { plan, function, .. } = missed.finish.notes();
        let plan = Arc::clone(plan);
        let value = Value { plan, key: function.key(&self.arguments), stored: StoredKey::new(key) };
        Call { value, of: Box::new(missed) }
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

/// One call of one function: what its companions work on.
///
/// Borrows nothing, and has no types but the answer's, so that companions cost the compiler little.
#[must_use]
pub struct Call<A> {
    value: Value,
    of: Box<dyn Called<A>>,
}

impl<A: 'static> Call<A> {
    /// What is cached, without computing.
    pub fn peek(self) -> Asked<Result<A, NotCachedError>> {
        self.of.peek(self.value)
    }

    /// Forgets what is cached.
    pub fn invalidate(self) -> Asked<Result<(), Error>> {
        forget(self.value, self.of.is_local())
    }

    /// Caches an answer that was not computed here. One that would not have been stored is not.
    #[allow(clippy::needless_pass_by_value)] // the user's `put` passes it on
    pub fn put(self, answer: A) -> Asked<Result<(), Error>> {
        self.of.put(self.value, &answer)
    }

    /// Computes now and replaces what is cached; takes the lease of whoever computes it.
    ///
    /// What the body returns comes back even where it could not be stored.
    pub fn refresh<F: Future<Output = A>>(self, body: F) -> Request<Refreshing<A, F>> {
        let begun = self.of.begin_anew(self.value.stored);
        Request::new(Refreshing::new(begun, body))
    }

    /// The same of a sync function, whose body runs where the request is polled.
    pub fn refresh_sync<F, Arguments>(
        self,
        body: F,
        arguments: Arguments,
    ) -> Request<Refreshing<A, Running<F, Arguments>>>
    where
        F: Body<Arguments, Answer = A>,
    {
        self.refresh(Running(Some((body, arguments))))
    }
}

/// A sync body as a future.
pub struct Running<F, Arguments>(Option<(F, Arguments)>);

impl<F, Arguments> Unpin for Running<F, Arguments> {}

impl<F: Body<Arguments>, Arguments> Future for Running<F, Arguments> {
    type Output = F::Answer;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<F::Answer> {
        let (body, arguments) = self.0.take().expect("a body is run once");
        Poll::Ready(body.run(arguments))
    }
}

/// What a call can be asked for, of whatever shape its answer is.
trait Called<A>: Send + Sync {
    fn is_local(&self) -> bool;

    fn peek(self: Box<Self>, value: Value) -> Asked<Result<A, NotCachedError>>;

    fn put(self: Box<Self>, value: Value, answer: &A) -> Asked<Result<(), Error>>;

    /// The right to compute it anew; `None` where nobody has that.
    fn begin_anew(self: Box<Self>, key: StoredKey) -> Boxed<'static, Option<Box<dyn Leads<A>>>>;
}

impl<S: Shape> Called<S::Answer> for Missed<S> {
    fn is_local(&self) -> bool {
        S::LOCAL
    }

    fn peek(self: Box<Self>, value: Value) -> Asked<Result<S::Answer, NotCachedError>> {
        let Missed { finish, local } = *self;
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

    fn put(self: Box<Self>, value: Value, answer: &S::Answer) -> Asked<Result<(), Error>> {
        let finish = self.finish;
        // Of the answer only what is stored must be `Send`.
        let to_store = finish.to_store(answer).map(|(timeout, stored)| (timeout, stored.clone()));
        Request::new(Box::pin(async move { finish.put(&value, to_store).await }))
    }

    fn begin_anew(
        self: Box<Self>,
        key: StoredKey,
    ) -> Boxed<'static, Option<Box<dyn Leads<S::Answer>>>> {
        let finish = self.finish;
        let call = finish.call(key, decode::<S>);
        Box::pin(async move {
            let leader =
                if S::LOCAL { call.begin_anew_locally().await } else { call.begin_anew().await };
            leader.map(|leader| Box::new(Lead::new(leader, finish)) as _)
        })
    }
}
