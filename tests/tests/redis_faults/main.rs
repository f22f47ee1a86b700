//! What befalls one Redis server costs callers of cached functions at most the configured time,
//! brings nothing back, and is over soon after the server has returned.

// What tests share panics as they do.
#![allow(clippy::unwrap_used)]

mod contents;
mod refusals;
mod silences;
mod site;
