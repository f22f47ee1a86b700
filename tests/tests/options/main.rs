//! The options of `#[cached]`, one file for each: what it does, what holds without it, and that it
//! is there for methods and async functions too where that makes a difference. The mistakes one can
//! make with an option are in `ui/`, one file for each.

#![allow(clippy::unnecessary_wraps)] // what a function answers is what is tested

mod adaptive;
mod cache;
mod cache_if;
mod codec;
mod companion;
mod complete;
mod crate_;
mod early;
mod hard_timeout;
mod jitter;
mod key;
mod lease;
mod lease_max;
mod local;
mod name;
mod near;
mod refresh;
mod scope;
mod single_flight;
mod skip;
mod soft_timeout;
mod stale;
mod stale_if_error;
mod timeout;
mod timeout_err;
mod timeout_none;
mod version;
mod wait;
