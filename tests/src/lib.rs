//! Tests of keyedcache that need more than one module, crate or process; they are in `tests/`.
//!
//! Here is what several of them share.

pub mod child;
pub mod drive;
pub mod faulty;
pub mod gate;
pub mod hesitant;
pub mod place;
pub mod process;
pub mod processes;
pub mod stored;
pub mod watchdog;

/// The code in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
