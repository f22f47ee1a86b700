//! What a Redis server loses that fails, and what is lost on the way to it, costs a second execution
//! at worst: nothing invalidated comes back for long, and nothing is done twice.

// What tests share panics as they do.
#![allow(clippy::unwrap_used)]

mod failovers;
mod near;
mod replies;
