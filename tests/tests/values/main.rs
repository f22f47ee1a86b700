//! What is done with keys by hand, on every store that keeps something.

// What tests share panics as they do; times are constants.
#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction)]

mod apart;
mod calls;
mod configured;
mod counting;
mod default;
mod ground;
mod invalidated;
mod lasting;
mod many;
mod single;
