//! Memoized functions: what stands behind `#[cached]`.
//!
//! Every annotated function owns a [`Site`], a constant that costs nothing before the first call.
//! At first use the site is *resolved*: its options are evaluated, its cache is found, and the two
//! become a `Function`. Registering or replacing a cache resolves anew.
//!
//! Where there is no attribute, [`cache_function`] makes a site at run time.
//!
//! An expansion does three things: [`begin`], the user's body, finish ([`Computing`], [`Entered`]). The
//! types of a function's answer and arguments come no deeper than this module: the path of a call,
//! in [`cache`](crate::cache), is compiled once.

// Only expansions hold what is in here.
#![allow(missing_debug_implementations)]

/// Gives a macro the lists of up to eight arguments, each with its type: as many as function items
/// can have.
macro_rules! with_up_to_eight_arguments {
    ($each:ident) => {
        $each! {
            ()
            (a: A)
            (a: A, b: B)
            (a: A, b: B, c: C)
            (a: A, b: B, c: C, d: D)
            (a: A, b: B, c: C, d: D, e: E)
            (a: A, b: B, c: C, d: D, e: E, g: G)
            (a: A, b: B, c: C, d: D, e: E, g: G, h: H)
            (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I)
        }
    };
}

mod away;
mod begun;
mod companions;
mod computing;
mod finish;
mod instances;
mod item;
mod notes;
pub mod ready;
mod refreshing;
mod site;
mod spec;
mod whole;

pub use away::Away;
pub use begun::{Asking, Begun, begin, begin_away, begin_away_wait, begin_wait};
pub use companions::{Asked, Call, invalidate_all, invalidate_scope};
pub use computing::{Computing, Entered};
pub use instances::Sites;
pub use item::{cache_async_function, cache_delete_function, cache_function};
pub use site::Site;
pub use spec::{Given, Spec, type_text};
pub use whole::Whole;
