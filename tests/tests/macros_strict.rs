//! Expansions raise no lint, not even where none may be allowed.

#![deny(warnings, clippy::all, clippy::pedantic, missing_docs)]
#![deny(clippy::missing_docs_in_private_items, clippy::unwrap_used)]
#![forbid(
    unused,
    unsafe_code,
    nonstandard_style,
    missing_debug_implementations,
    missing_copy_implementations,
    unreachable_pub,
    rust_2018_idioms,
    single_use_lifetimes,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    elided_lifetimes_in_paths,
    trivial_casts,
    let_underscore_drop,
    clippy::absolute_paths,
    clippy::items_after_statements,
    clippy::must_use_candidate,
    clippy::used_underscore_binding,
    clippy::needless_pass_by_value,
    clippy::manual_async_fn
)]

use std::future::ready;

use keyedcache::{KeyPart, cache_delete_function, cached};

pub mod functions {
    //! Reachable from outside, as far as lints know.

    use std::future::ready;

    use keyedcache::cached;

    /// A sync function.
    #[cached(timeout = 60, jitter = 0.5)]
    #[must_use]
    pub fn plain(x: u8, name: &str) -> String {
        format!("{x}{name}")
    }

    /// A function of nothing.
    #[cached]
    #[must_use]
    pub fn constant() -> u8 {
        1
    }

    /// An async function.
    #[cached(timeout = 60, stale = "1h", cache_if = |answer| answer.len() > 3)]
    pub async fn refreshed(x: u8, name: &str) -> String {
        ready(format!("{x}{name}")).await
    }

    /// A function that fails.
    ///
    /// # Errors
    ///
    /// Never.
    #[cached(key = (x / 2, name), timeout_err = 5)]
    pub fn fallible(x: u8, name: &str, _unused: bool) -> Result<String, String> {
        Ok(format!("{x}{name}"))
    }

    /// A function that fails, and is async.
    ///
    /// # Errors
    ///
    /// Never.
    #[cached(skip(_connection))]
    pub async fn fallible_async<'a>(
        x: u8,
        name: &'a str,
        other: &'a str,
        _connection: &(),
    ) -> Result<Option<String>, String> {
        ready(Ok(Some(format!("{x}{name}{other}")))).await
    }
}

/// As many arguments as a function may have.
#[cached(timeout = 60)]
#[must_use]
pub fn many(x: u8, y: u8, z: u8, red: u8, green: u8, blue: u8, alpha: u8) -> u8 {
    x + y + z + red + green + blue + alpha
}

/// A private function.
#[cached(local)]
fn private((a, b): (u8, u8), _: u8, mut c: u8) -> u8 {
    c += a;
    c + b
}

/// A part of keys.
#[derive(KeyPart, Clone, Debug)]
pub struct Product {
    /// Its number.
    pub id: u64,
    /// Its colours.
    pub colours: Vec<Colour>,
}

/// A part of keys.
#[derive(KeyPart, Clone, Copy, Debug)]
pub enum Colour {
    /// Red.
    Red,
    /// Any.
    Other(u8, u8, u8),
}

/// A function whose callers wait only so long.
///
/// # Errors
///
/// When it takes too long.
#[cached(timeout = 60, stale = 60, soft_timeout = "1s", hard_timeout = "2s")]
pub fn limited(x: u8, name: &str) -> Result<String, keyedcache::Error> {
    Ok(format!("{x}{name}"))
}

/// The same, async.
///
/// # Errors
///
/// When it takes too long.
#[cached(timeout = 60, hard_timeout = "2s")]
pub async fn limited_async(x: u8, name: &str) -> Result<String, keyedcache::Error> {
    ready(Ok(format!("{x}{name}"))).await
}

/// A function with scopes.
#[cached(timeout = |x| u64::from(*x), scope(x), codec = "json")]
#[must_use]
pub fn scoped(x: u8, colour: Colour) -> u8 {
    match colour {
        Colour::Red => x,
        Colour::Other(..) => 0,
    }
}

/// A type with methods.
#[derive(Clone, Copy, Debug)]
pub struct Repo;

/// A trait with a method.
pub trait Find {
    /// Finds.
    fn find(&self, x: u8) -> impl Future<Output = u8> + Send;
}

#[cached]
impl Repo {
    /// A method.
    #[cached(timeout = 60, skip(self))]
    #[must_use]
    pub fn plain(self, x: u8, name: &str) -> String {
        format!("{x}{name}")
    }

    /// A generic method.
    #[cached(timeout = 60, skip(self), stale = 3)]
    pub async fn generic<T: KeyPart + Send + Sync + 'static>(&self, x: T) -> usize {
        ready(size_of_val(&x)).await
    }

    /// A private function.
    #[cached(timeout = 60)]
    fn private() -> u8 {
        3
    }
}

#[cached]
impl Find for Repo {
    #[cached(timeout = 60, skip(self))]
    async fn find(&self, x: u8) -> u8 {
        ready(x).await
    }
}

/// A generic function.
#[cached(timeout = 60)]
#[must_use]
pub fn generic<'a, T, const N: usize>(list: &'a [T; N], more: &'a impl KeyPart) -> usize
where
    T: KeyPart,
{
    size_of_val(list) + size_of_val(more)
}

/// A function that returns a future.
#[cached(timeout = 60)]
pub fn future(x: u8) -> impl Future<Output = u8> + Send {
    ready(x)
}

#[test]
fn expansions_raise_no_lint() {
    assert_eq!(Repo.plain(1, "a"), "1a");
    assert_eq!(Repo::private(), 3);
    assert_eq!(scoped(1, Colour::Red), 1);
    assert!(cache_delete_function!(scoped(1, _)).wait().is_ok());
    let product = Product { id: 3, colours: vec![Colour::Other(1, 2, 3)] };
    assert_eq!(generic(&[1_u8], &product), 33);
    assert_eq!(generic(&[1_u8, 2], &3_u8), 3);
    drop((Repo.generic(3), Repo.find(3), future(3)));
    assert_eq!(functions::plain(1, "a"), "1a");
    assert_eq!(functions::fallible(1, "a", true).as_deref(), Ok("1a"));
    assert_eq!(many(1, 2, 3, 4, 5, 6, 7), 28);
    assert_eq!(private((1, 2), 3, 4), 7);
    assert!(cache_delete_function!(private).wait().is_ok());
    drop((functions::refreshed(1, "a"), functions::fallible_async(1, "a", "b", &())));
}
