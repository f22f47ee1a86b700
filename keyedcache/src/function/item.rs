//! Functions that are cached without the attribute: a function item becomes a callable.
//!
//! - Their namespace is the item's path, as `#[cached]` would have it.
//! - Only a function *item* has a path of its own. Function pointers have none and do not compile
//!   here; closures that share one panic where they are wrapped, as do two items of one path.
//! - A site is made once for each item and timeout, and never freed: wrapping twice gives the same.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use parking_lot::Mutex;

use crate::cache::{DEFAULT_ALIAS, Request, named_or_broken};
use crate::error::Error;
use crate::key::KeyPart;
use crate::policy::Timeout;
use crate::record::Fingerprint;
use crate::shape::fit::Fit;
use crate::shape::{Shape, Shareable, Told};
use crate::store::Severity;

use super::away::Away;
use super::begun::{Asking, Begun, BegunAsync, BegunSync, begin_away, begin_away_wait};
use super::site::Site;
use super::spec::{Given, Spec};

/// Caches a function that has no attribute: what comes out is called as the function is.
///
/// Answers are fresh for `timeout`: whole seconds, a [`Duration`](std::time::Duration), or a
/// [`Timeout`]. They are kept in the default cache, under the function's path, as those of
/// `#[cached(timeout = …)]` are; an `Err` is not kept. If the cache says `stale` or `early`, what is
/// old is refreshed in the background, since the arguments are owned; a function whose attribute says
/// neither refreshes in the foreground.
///
/// Arguments are up to eight, owned, and [`KeyPart`]s. For what borrows, and for every other option,
/// there is `#[cached]`.
///
/// ```
/// use keyedcache::{cache_delete_function, cache_function};
///
/// fn nearest_restaurant(x: i32, y: i32) -> String {
///     format!("the one at {x}, {y}") // three slow seconds
/// }
///
/// let cached_restaurant = cache_function(60, nearest_restaurant);
/// assert_eq!(cached_restaurant(2, 6), "the one at 2, 6"); // slow
/// assert_eq!(cached_restaurant(2, 6), "the one at 2, 6"); // fast
/// cache_delete_function(nearest_restaurant).wait()?; // forget every call, everywhere
/// # Ok::<(), keyedcache::Error>(())
/// ```
///
/// What comes out is `Copy`, and a function itself: it can be kept in a `static`'s `OnceLock`, or
/// given to `map`.
///
/// Closures and function pointers share names, so they would share answers. Pointers, and closures
/// that capture something, do not compile:
///
/// ```compile_fail,E0080
/// fn double(x: i32) -> i32 { 2 * x }
/// keyedcache::cache_function(60, double as fn(i32) -> i32);
/// ```
///
/// # Panics
///
/// If `function` is a closure, or another function of the same path (one in each of two closures, or
/// of two `const _` blocks) has been wrapped before.
#[track_caller]
pub fn cache_function<Arguments, F>(timeout: impl Into<Timeout>, function: F) -> F::Cached
where
    F: SyncFunctionItem<Arguments>,
{
    wrapped::<F, _>(timeout.into(), F::signature(), |site| function.cached(site))
}

/// Caches an async function that has no attribute; see [`cache_function`].
///
/// ```
/// use keyedcache::cache_async_function;
///
/// async fn nearest_restaurant(x: i32, y: i32) -> String {
///     format!("the one at {x}, {y}") // three slow seconds
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let cached_restaurant = cache_async_function(60, nearest_restaurant);
/// assert_eq!(cached_restaurant(2, 6).await, "the one at 2, 6");
/// # });
/// ```
///
/// # Panics
///
/// As [`cache_function`] does.
#[track_caller]
pub fn cache_async_function<Arguments, F>(timeout: impl Into<Timeout>, function: F) -> F::Cached
where
    F: AsyncFunctionItem<Arguments>,
{
    wrapped::<F, _>(timeout.into(), F::signature(), |site| function.cached(site))
}

/// Forgets every call of a function, everywhere, whether it was cached by [`cache_function`] or by
/// an attribute without `name` and `cache`. It is given the function itself, not what
/// [`cache_function`] made of it.
///
/// The macro of the same name forgets single calls, too:
/// `cache_delete_function!(nearest_restaurant(2, 6))`.
///
/// ```
/// # fn nearest_restaurant(x: i32, y: i32) -> String { format!("the one at {x}, {y}") }
/// use keyedcache::cache_delete_function;
///
/// cache_delete_function(nearest_restaurant).wait()?;
/// # Ok::<(), keyedcache::Error>(())
/// ```
///
/// # Errors
///
/// When the store did not take the invalidation; until it has, old answers may be served.
///
/// # Panics
///
/// If `function` is a closure.
#[track_caller]
#[allow(clippy::needless_pass_by_value)] // it is a function item: there is nothing to pass
pub fn cache_delete_function<Arguments, F>(
    function: F,
) -> Request<impl Future<Output = Result<(), Error>> + Send + use<Arguments, F>>
where
    F: FunctionItem<Arguments>,
{
    let _ = function;
    assert_is_an_item::<F>();
    let cache = named_or_broken(DEFAULT_ALIAS);
    let scope = cache.core().scopes.whole(Spec::of(type_name::<F>(), 0, &[]).namespace());
    Request::new(async move { cache.core().invalidate(&[scope], Severity::Hard).await })
}

/// A function item of up to eight arguments.
#[diagnostic::on_unimplemented(
    message = "this takes a function, by its name alone",
    label = "not the name of a function of up to eight owned arguments",
    note = "to forget one call, write the macro: `cache_delete_function!(f(2, 6))`"
)]
pub trait FunctionItem<Arguments>: Copy + Send + Sync + 'static {}

/// A sync function item that can be cached.
#[diagnostic::on_unimplemented(
    message = "this function cannot be cached without an attribute",
    label = "it must take up to eight owned arguments that are `KeyPart`s, and give an answer that is `Clone`, `Serialize` and `DeserializeOwned`",
    note = "async functions are for `cache_async_function`; those that borrow, and answers with other errors, for `#[cached]`"
)]
pub trait SyncFunctionItem<Arguments>: FunctionItem<Arguments> {
    /// What is called in its place.
    type Cached: Copy + Send + Sync + 'static;

    #[doc(hidden)]
    fn signature() -> &'static str;

    #[doc(hidden)]
    fn cached(self, site: &'static Site) -> Self::Cached;
}

/// An async function item that can be cached.
#[diagnostic::on_unimplemented(
    message = "this function cannot be cached without an attribute",
    label = "it must be async, take up to eight owned arguments that are `KeyPart`s, and give an answer that is `Clone`, `Serialize` and `DeserializeOwned`",
    note = "sync functions are for `cache_function`; those that borrow, and answers with other errors, for `#[cached]`"
)]
pub trait AsyncFunctionItem<Arguments>: FunctionItem<Arguments> {
    /// What is called in its place.
    type Cached: Copy + Send + Sync + 'static;

    #[doc(hidden)]
    fn signature() -> &'static str;

    #[doc(hidden)]
    fn cached(self, site: &'static Site) -> Self::Cached;
}

/// `(&a, (&b, ()))`: the arguments as [`KeyParts`](crate::key::KeyParts).
macro_rules! parts {
    () => { () };
    ($first:ident $($rest:ident)*) => { (&$first, parts!($($rest)*)) };
}

macro_rules! function_items {
    ($(($($argument:ident: $type:ident),*))*) => {$(
        impl<F, R, $($type),*> FunctionItem<($($type,)*)> for F
        where
            F: Fn($($type),*) -> R + Copy + Send + Sync + 'static,
        {}

        #[diagnostic::do_not_recommend]
        impl<F, R, $($type),*> SyncFunctionItem<($($type,)*)> for F
        where
            F: Fn($($type),*) -> R + Copy + Send + Sync + 'static,
            R: Shareable,
            $($type: KeyPart + Send + Sync + 'static,)*
        {
            type Cached = &'static (dyn Fn($($type),*) -> R + Send + Sync);

            fn signature() -> &'static str {
                type_name::<fn($($type),*) -> R>()
            }

            fn cached(self, site: &'static Site) -> Self::Cached {
                Box::leak(Box::new(move |$($argument: $type),*| {
                    let shape = Fit(Told::new()).shared();
                    let asking = Asking { site, shape, arguments: parts!($($argument)*) };
                    let begun = begin_away_wait(asking);
                    go_on(begun, move || self($($argument),*))
                }))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<F, Answering, R, $($type),*> AsyncFunctionItem<($($type,)*)> for F
        where
            F: Fn($($type),*) -> Answering + Copy + Send + Sync + 'static,
            Answering: Future<Output = R> + Send + 'static,
            R: Shareable,
            $($type: KeyPart + Send + Sync + 'static,)*
        {
            type Cached = &'static (dyn Fn($($type),*) -> Answer<R> + Send + Sync);

            fn signature() -> &'static str {
                type_name::<fn($($type),*) -> R>()
            }

            fn cached(self, site: &'static Site) -> Self::Cached {
                Box::leak(Box::new(move |$($argument: $type),*| -> Answer<R> {
                    Box::pin(async move {
                        let shape = Fit(Told::new()).shared();
                        let asking = Asking { site, shape, arguments: parts!($($argument)*) };
                        if let Some(answer) = asking.at_hand() {
                            return answer;
                        }
                        let begun = begin_away(asking).await;
                        go_on_async(begun, move || self($($argument),*)).await
                    })
                }))
            }
        }
    )*};
}

with_up_to_eight_arguments!(function_items);

/// What a cached async function returns.
type Answer<R> = Pin<Box<dyn Future<Output = R> + Send>>;

fn go_on<S: Shape>(
    begun: Result<BegunSync<S>, Away<S>>,
    body: impl FnOnce() -> S::Answer + Send + 'static,
) -> S::Answer {
    match begun {
        Ok(Begun::Answer(answer)) => answer,
        Ok(Begun::Compute(entered)) => entered.finish(body()),
        Err(away) => away.refresh_blocking(body),
    }
}

async fn go_on_async<S, F>(
    begun: Result<BegunAsync<S>, Away<S>>,
    body: impl FnOnce() -> F + Send,
) -> S::Answer
where
    S: Shape<Answer: Send>,
    F: Future<Output = S::Answer> + Send + 'static,
{
    match begun {
        Ok(Begun::Answer(answer)) => answer,
        Ok(Begun::Compute(computing)) => computing.run(Box::pin(body())).await,
        Err(away) => away.run(Box::pin(body())).await,
    }
}

/// The items that were wrapped, by their paths.
static WRAPPED: Mutex<Option<HashMap<&'static str, Wrapped>>> = Mutex::new(None);

struct Wrapped {
    item: TypeId,
    by_timeout: HashMap<Timeout, Box<dyn Any + Send>>,
}

/// What was made of this item for this timeout, or is made now.
#[track_caller]
fn wrapped<F, Cached>(
    timeout: Timeout,
    signature: &'static str,
    make: impl FnOnce(&'static Site) -> Cached,
) -> Cached
where
    F: 'static,
    Cached: Copy + Send + 'static,
{
    let path = assert_is_an_item::<F>();
    let mut wrapped = WRAPPED.lock();
    let item = wrapped
        .get_or_insert_default()
        .entry(path)
        .or_insert_with(|| Wrapped { item: TypeId::of::<F>(), by_timeout: HashMap::new() });
    assert!(
        item.item == TypeId::of::<F>(),
        "another function has the path `{path}`, so the two would share answers; \
         move one of them, or use `#[cached(name = \"…\")]`"
    );
    let cached = item.by_timeout.entry(timeout).or_insert_with(|| {
        let fingerprint = Fingerprint::of(signature).to_bits();
        let given = [Given::Timeout(timeout), Given::RefreshInBackground];
        let spec = Spec::of(type_name::<F>(), fingerprint, &given);
        Box::new(make(Box::leak(Box::new(Site::of(spec)))))
    });
    *cached.downcast_ref().expect("one item is made into one type")
}

/// The path of a function item. Does not compile for what has a size; panics for closures.
#[track_caller]
fn assert_is_an_item<F>() -> &'static str {
    const {
        assert!(
            size_of::<F>() == 0,
            "only a function item has a name of its own: give the function itself, not a pointer to it \
             and not a closure"
        );
    }
    let path = type_name::<F>();
    let is_closure = path.ends_with("{{closure}}");
    let names_a_closure = path.find('<').is_some_and(|open| path[open..].contains("{{closure}}"));
    assert!(
        !is_closure && !names_a_closure,
        "closures share names, so they would share answers (`{path}`); write a function"
    );
    path
}
