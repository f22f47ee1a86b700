//! The options of `#[cached]`, one file for each: what it does, what holds without it, and that it
//! is there for methods and async functions too where that makes a difference. The mistakes one can
//! make with an option are in `ui/`, one file for each.

#![allow(clippy::unnecessary_wraps)] // what a function answers is what is tested

mod hard_timeout;
mod soft_timeout;
