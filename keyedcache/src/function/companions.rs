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
use super::computing::Lead;
use super::notes::Notes;
use super::refreshing::{Lease, Refreshing};
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

impl<A> Call<A> {
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
}

/// The same of a sync function, whose body runs where the request is polled: a method for each number of
/// arguments, since a trait for all of them would cost the compiler more, and a closure that has them
/// would be one more body, of each annotated function.
macro_rules! refresh_sync {
    ($($name:ident($($argument:ident: $type:ident),*))*) => {$(
        impl<T> Call<T> {
            #[doc(hidden)]
            #[allow(clippy::too_many_arguments)]
            pub fn $name<F $(, $type)*>(
                self,
                body: F $(, $argument: $type)*
            ) -> Request<Refreshing<T, Running<T, F, ($($type,)*)>>>
            where
                F: FnOnce($($type),*) -> T,
            {
                let run = |body: F, ($($argument,)*): ($($type,)*)| body($($argument),*);
                self.refresh(Running { of: Some((body, ($($argument,)*))), run })
            }
        }
    )*};
}

refresh_sync! {
    refresh_0()
    refresh_1(a: A)
    refresh_2(a: A, b: B)
    refresh_3(a: A, b: B, c: C)
    refresh_4(a: A, b: B, c: C, d: D)
    refresh_5(a: A, b: B, c: C, d: D, e: E)
    refresh_6(a: A, b: B, c: C, d: D, e: E, g: G)
    refresh_7(a: A, b: B, c: C, d: D, e: E, g: G, h: H)
    refresh_8(a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I)
}

/// A sync body as a future.
pub struct Running<T, F, Arguments> {
    of: Option<(F, Arguments)>,
    run: fn(F, Arguments) -> T,
}

impl<T, F, Arguments> Unpin for Running<T, F, Arguments> {}

impl<T, F, Arguments> Future for Running<T, F, Arguments> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let (body, arguments) = self.of.take().expect("a body is run once");
        Poll::Ready((self.run)(body, arguments))
    }
}

/// What a call can be asked for, of whatever shape its answer is.
trait Called<A>: Send + Sync {
    fn is_local(&self) -> bool;

    fn peek(self: Box<Self>, value: Value) -> Asked<Result<A, NotCachedError>>;

    fn put(self: Box<Self>, value: Value, answer: &A) -> Asked<Result<(), Error>>;

    /// The right to compute it anew; `None` where nobody has that.
    fn begin_anew(self: Box<Self>, key: StoredKey) -> Boxed<'static, Lease<A>>;
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

    fn begin_anew(self: Box<Self>, key: StoredKey) -> Boxed<'static, Lease<S::Answer>> {
        let mut finish = self.finish;
        let call = finish.call(key, decode::<S>);
        Box::pin(async move {
            if S::LOCAL {
                finish.void_near(&call.key);
            }
            let leader =
                if S::LOCAL { call.begin_anew_locally().await } else { call.begin_anew().await };
            leader.map(|leader| Box::new(Lead::new(leader, finish)) as _)
        })
    }
}
