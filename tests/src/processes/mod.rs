//! Real processes that share one cache, and the test that directs them.
//!
//! A test starts a [`Team`] of actors on a [`Ground`] (where the cache is), tells them what to call,
//! delete or wait for, and kills or stops them. An actor is a process of the program in
//! `src/bin/actor`, a [`child`](crate::child) whose words are JSON ([`talk`]).
//!
//! - What happened is counted outside the cache: a body says when it begins and ends, over the
//!   actor's pipe, and its answer names the execution it came from.
//! - Nothing here waits longer than [`PATIENCE`](crate::watchdog::PATIENCE): what hangs fails the
//!   test.

mod actor;
mod ground;
mod heard;
mod instant;
pub mod talk;
mod tally;
mod team;

pub use ground::Ground;
pub use heard::{Execution, Heard};
pub use instant::SharedInstant;
pub use tally::Tally;
pub use team::{Gate, Team};
