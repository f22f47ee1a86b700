//! Tests of keyedcache that need more than one module, crate or process; they are in `tests/`; what
//! several of them share is here.

pub mod child;
pub mod stored;

pub mod processes;

/// The code in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
