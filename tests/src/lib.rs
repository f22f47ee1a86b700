//! Tests of keyedcache that need more than one module, crate or process; they are in `tests/`.
//!
//! Here is what several of them share. What to use when:
//!
//! | a test needs | it takes |
//! |---|---|
//! | a cache on memory or disk, or one whose clock it moves | [`place`] |
//! | records that show whether they are whole, asked for without a cache | [`stored`] |
//! | a store that fails or hangs, or does something at the worst moment | [`faulty`] |
//! | a store at whose every step a caller can be dropped | [`hesitant`] |
//! | an S3 server, one whose answers are lost, say | [`s3`] |
//! | a small file system that fills up or becomes read-only | [`tmpfs`] |
//! | a future run to its end, or dropped half-way | [`drive`] |
//! | a body that waits until it may go on, and counts its runs | [`gate`] |
//! | to wait for something, or to fail when something hangs | [`watchdog`] |
//! | random choices that a printed seed brings back | [`dice`] |
//! | another process: this test again, or a program of `src/bin` | [`child`] |
//! | a Redis server, a cluster, replicas, sentinels | [`redis`] |
//! | a network that delays, loses, cuts or goes silent | [`proxy`] |
//! | several that share a cache, each execution counted outside it | [`processes`] |
//!
//! `src/bin` has the programs that run as children only: `disk_child` (a disk store without a cache)
//! and `actor` (a member of a [`processes::Team`]).
//!
//! Stores themselves are tested by `keyedcache-conformance`, which is published, and uses nothing of
//! this crate.

// All of it serves tests, and fails them by a panic.
#![allow(clippy::missing_panics_doc)]

pub mod child;
pub mod dice;
pub mod drive;
pub mod faulty;
mod front;
pub mod gate;
pub mod hesitant;
pub mod place;
mod ports;
pub mod processes;
pub mod proxy;
pub mod redis;
pub mod s3;
pub mod stored;
pub mod tmpfs;
pub mod watchdog;

/// The code in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// So does that in `docs/`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/coming-from-cached.md")]
struct ComingFromCached;

#[cfg(doctest)]
#[doc = include_str!("../../docs/configuration.md")]
struct Configuration;
