//! Bad input: a clear error or a miss, never a panic, never a lost newer record, and whoever calls a
//! cached function has an answer.

// What tests share panics as they do; times are constants.
#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction)]

mod disk;
mod durations;
mod opening;
mod records;
mod settings;
mod sizes;
mod stores;
mod subject;
