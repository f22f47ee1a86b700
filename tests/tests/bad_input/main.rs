//! Bad input: a clear error or a miss, never a panic, never a lost newer record, and whoever calls a
//! cached function has an answer.

mod disk;
mod records;
mod settings;
mod sizes;
mod stores;
mod subject;
