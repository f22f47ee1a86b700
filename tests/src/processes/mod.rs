//! Real processes that share one cache, and the test that directs them.
//!
//! A test starts a [`Team`] of actors on a [`Ground`] (where the cache is), tells them what to call,
//! delete or wait for, and kills or stops them. An actor is a process of the program in
//! `src/bin/actor`; they talk in lines of JSON over pipes ([`talk`]).
//!
//! - What happened is counted outside the cache: a body says when it begins and ends, over the
//!   actor's pipe, and its answer names the execution it came from.
//! - Nothing here waits longer than [`PATIENCE`]: what hangs fails the test.
//! - No actor outlives its test, however the test ends.

// All of it serves tests, and fails them by a panic.
#![allow(clippy::missing_panics_doc)]

mod actor;
mod dice;
mod ground;
mod heard;
mod instant;
pub mod talk;
mod tally;
mod team;

pub use dice::Dice;
pub use ground::Ground;
pub use heard::{Execution, Heard};
pub use instant::SharedInstant;
pub use tally::Tally;
pub use team::{Gate, Team};

use std::time::Duration;

/// How long to wait for what should have happened long ago.
pub const PATIENCE: Duration = Duration::from_secs(8);
