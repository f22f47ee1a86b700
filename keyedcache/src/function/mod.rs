//! Memoized functions: what stands behind `#[cached]`.
//!
//! Every annotated function owns a [`Site`], a constant that costs nothing before the first call.
//! At first use the site is *resolved*: its options are evaluated, its cache is found, and the two
//! become a `Function`. Registering or replacing a cache resolves anew.
//!
//! Where there is no attribute, [`cache_function`] makes a site at run time.
//!
//! An expansion does three things: [`begin`], the user's body, finish ([`Lead`], [`Leading`]). The
//! types of a function's answer and arguments come no deeper than this module: the path of a call,
//! in [`cache`](crate::cache), is compiled once.

// Only expansions hold what is in here.
#![allow(missing_debug_implementations)]

mod away;
mod begun;
mod companions;
mod finish;
mod instances;
mod item;
mod site;
mod spec;

pub use away::Away;
pub use begun::{Begun, begin, begin_away, begin_away_wait, begin_wait};
pub use companions::{Call, invalidate_all, invalidate_scope, key};
pub use finish::{Lead, Leading};
pub use instances::Sites;
pub use item::{cache_async_function, cache_delete_function, cache_function};
pub use site::Site;
pub use spec::{Spec, type_text};
