//! What the S3 store does beyond what every store must: over a real server, whose answers are lost,
//! late, cut off, or of another time.

// What tests share panics as they do.
#![allow(clippy::unwrap_used)]

mod bodies;
mod conditions;
mod credentials;
mod faults;
mod requests;
mod settings;
mod signed;
mod sweeps;
mod unheeded;
