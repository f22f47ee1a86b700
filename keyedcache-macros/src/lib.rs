//! The macros of `keyedcache`; use them through that crate.
//!
//! `#[cached]` is one pipeline: `options` and `function` read, `check` says what is wrong,
//! `expand` writes the expansion, and `fallback` writes what keeps the rest of the program
//! compiling when something was wrong. Nothing here panics on what a user writes; all mistakes of
//! one attribute come out at once, each on its own token.

mod check;
mod companions;
mod delete;
mod derive;
mod duration;
mod expand;
mod fallback;
mod function;
mod generics;
mod home;
mod implblock;
mod key;
mod krate;
mod mistakes;
mod options;
mod refresh;
mod returns;
mod scope;
mod spec;
mod suggest;

use proc_macro::TokenStream;

use crate::function::Function;
use crate::mistakes::Mistakes;
use crate::options::Options;

/// Remembers what a function answered, and lets one caller compute what many ask for.
///
/// The function keeps its name, signature, attributes and docs. Beside it stand its companions,
/// under the same name: `f::key(…)`, `f::peek(…)`, `f::refresh(…)`, `f::uncached(…)`,
/// `f::invalidate(…)`, `f::invalidate_all()` and `f::put(…, value)`. Those that name one call take
/// the arguments that its key is made of.
///
/// On methods and associated functions the attribute goes on each, and on the impl block too; the
/// companions stand beside them, as `Repo::find_key(…)`, `Repo::find_invalidate(…)`. `self` is part
/// of the key, through `KeyPart`, unless it is left out: `skip(self)`.
///
/// ```text
/// #[cached]
/// impl Repo {
///     #[cached(timeout = 60, skip(self))]
///     async fn find(&self, id: u64) -> Option<User> { … }
/// }
/// ```
///
/// The types that a generic function is called with are part of its namespace. A function may
/// return its answer in an `impl Future<Output = T>` or a `Pin<Box<dyn Future<Output = T>>>`.
///
/// # Options
///
/// Durations are seconds (`60`), text (`"5m"`, `"1h 30m"`: whole numbers with `ns`, `us`, `ms`, `s`,
/// `m`, `h`, `d`), or any expression of type `Duration`. Where the default is the cache's, what that
/// has if it says nothing stands in parentheses; `stale`, `stale_if_error`, `early` and `jitter` of
/// `0` are off, whatever the cache says.
///
/// | option | meaning | default |
/// |---|---|---|
/// | `timeout = 60` | how long an answer is fresh; `Never` is for ever | the cache's (300 s) |
/// | `timeout = \|stored\| …` | the same, for each answer: a closure over what is stored of it (of a `Result` the `Ok` value); zero is not stored | |
/// | `stale = "5m"` | how much longer it is served while one caller refreshes it | the cache's (off) |
/// | `stale_if_error = "1h"` | how much longer it is served when computing fails | the cache's (off) |
/// | `refresh = "foreground"` | the one that refreshes waits for it; needs no owned arguments | `"background"`; `"foreground"` where `stale` and `early` are only the cache's |
/// | `early`, `early = 1.5` | refreshes before the time is over, by chance: `XFetch`, with this beta (`early` alone is 1.0) | the cache's (off) |
/// | `jitter = 0.1` | shortens each timeout by up to this fraction of it | the cache's (none) |
/// | `timeout_err = "5s"` | keeps `Err` too, for this long | not at all |
/// | `timeout_none = "5s"` | keeps `None` for this long | as any answer |
/// | `cache_if = \|answer\| …` | keeps only the answers of which this says so; asked with the whole answer | all |
/// | `key = expression` | what the key is made of, instead of the arguments | |
/// | `skip(a, b)` | arguments that are no part of the key | |
/// | `name = "…"` | the namespace; survives moving and renaming the function | its path |
/// | `version = 2` | separates the records of incompatible versions | the cache's (1) |
/// | `scope(x, (x, y))` | the arguments by which calls can be forgotten together: `cache_delete_function!(f(2, _))` | none |
/// | `cache = "sessions"` | which registered cache | `"default"` |
/// | `codec = "json"` | what answers are encoded by: `"msgpack"`, `"json"` or, with a `version`, `"bincode"` | the cache's (`"msgpack"`) |
/// | `local` | never leaves this process; the answer needs no serde | |
/// | `near = 10_000` | entries of the near cache; 0 for none | the cache's (10,000) |
/// | `single_flight = "process"` | who waits for one that computes: `"cluster"`, `"process"`, or nobody: `"off"` | the cache's (`"cluster"`) |
/// | `wait = "10s"` | how long a call waits for another's answer before it computes alone; at most 1 s within another cached body | the cache's (30 s) |
/// | `soft_timeout = "100ms"` | how long a call waits for a new answer while it has an older one, of `stale` or `stale_if_error`; the computation goes on and is saved | `stale`: not at all; `stale_if_error`: to the end |
/// | `hard_timeout = "2s"` | how long a call waits for an answer at all: then it gets an older one, or an `Err` made of `TimedOut`; the computation goes on and is saved | to the end |
/// | `lease = "30s"` | how long a holder that has died keeps others from taking over | the cache's (10 s, S3 60 s) |
/// | `lease_max = "10m"` | how long a lease is renewed while the body runs | the cache's (10 min) |
/// | `companion = Name` | what the companions stand under; of a method what they begin with | its name |
/// | `crate = path` | where `keyedcache` is | found in `Cargo.toml` |
///
/// # When time is limited
///
/// With `soft_timeout` or `hard_timeout` a call can end before its computation does. So what the
/// function borrows must be `Clone + Send + 'static`, and is copied; its answer must be `Send`. An
/// async body is polled by its call until time is up and by a task of its own from then on, so it
/// must be `Send`. A sync body runs on another thread, within the caller's runtime. The limits are
/// counted from when the call began and hold whoever computes: the call itself, another one, or
/// another process. `refresh` and `uncached` know none.
#[proc_macro_attribute]
pub fn cached(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    let mut mistakes = Mistakes::new();
    let options = Options::parse(attribute.into(), &mut mistakes);
    if implblock::is_one(item.clone()) {
        return implblock::expand(&options, &item, mistakes).into();
    }
    let function = match Function::parse(item.clone()) {
        Ok(function) => function,
        Err(mistake) => {
            mistakes.push(mistake);
            return fallback::unread(&item, mistakes).into();
        }
    };
    check::check(&options, &function, None, &mut mistakes);
    if mistakes.is_empty() {
        expand::expand(&options, &function).into()
    } else {
        fallback::fallback(&options, &function, mistakes).into()
    }
}

/// Forgets calls of a cached function, everywhere.
///
/// `cache_delete_function!(path)` forgets all of them, `cache_delete_function!(path(arguments))`
/// one, `cache_delete_function!(path(2, _))` all with these arguments, where the function declares a
/// `scope` for them. What comes out is a request: `.await` it in async code, `.wait()` it in sync
/// code. In a path whose second-last segment begins with a capital, or is qualified, the last one is a method.
#[proc_macro]
pub fn cache_delete_function(input: TokenStream) -> TokenStream {
    delete::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or an enum something that can be part of a key.
///
/// Its text is its name and its fields: `Point(x=1,y=2)`, `Circle(3)`. All fields must be `KeyPart`s
/// themselves, but for those under `#[key_part(skip)]`, which are no part of it.
#[proc_macro_derive(KeyPart, attributes(key_part))]
pub fn key_part(input: TokenStream) -> TokenStream {
    match syn::parse(input) {
        Ok(input) => derive::key_part::expand(&input).into(),
        Err(mistake) => mistake.into_compile_error().into(),
    }
}

/// Makes a struct an object that is stored and read back by its id.
///
/// The id is the fields under `#[cached_object(key)]`. On the struct
/// `#[cached_object(timeout = 60, cache = "sessions", name = "product", version = 2)]` says how its
/// objects are kept; each of these may be left out, and then is the cache's, or the struct's path.
#[proc_macro_derive(CachedObject, attributes(cached_object))]
pub fn cached_object(input: TokenStream) -> TokenStream {
    match syn::parse(input) {
        Ok(input) => derive::object::expand(&input).into(),
        Err(mistake) => mistake.into_compile_error().into(),
    }
}
