//! Stores as tests use them: records that show whether they are whole, and operations that return
//! when they are done.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keyedcache::Error;
use keyedcache::record::Record;
use keyedcache::store::{Guard, Pending, Slot, Store, StoredKey};

/// Runs an operation to its end.
///
/// # Panics
///
/// If the operating system refuses what a runtime needs.
pub fn wait<T>(operation: Pending<'_, T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers needs nothing").block_on(operation)
}

/// The stored key of a text.
#[must_use]
pub fn key(text: &str) -> StoredKey {
    StoredKey::new(Arc::from(text))
}

/// A record of at least 32 bytes, which all follow from its seed.
#[must_use]
pub fn record(seed: u64, length: usize) -> Record {
    let length = length.max(32);
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend((length as u64).to_le_bytes());
    let mut state = seed;
    while bytes.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    Record::from_bytes(Bytes::from(bytes))
}

/// Whether a record is as [`record`] made it.
#[must_use]
pub fn is_whole(found: &Record) -> bool {
    let word = |at: usize| {
        let bytes = found.bytes().get(at..at + 8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes))
    };
    match (word(0), word(8).map(usize::try_from)) {
        (Some(seed), Some(Ok(length))) if length == found.bytes().len() => {
            *found == record(seed, length)
        }
        _ => false,
    }
}

/// Saves whatever stands there, for ever.
pub fn save(store: &dyn Store, text: &str, record: Record) -> Result<bool, Error> {
    wait(store.save(&key(text), record, None, Guard::Always))
}

/// What stands under a key.
///
/// # Panics
///
/// If the store gives no slot for it.
pub fn slot(store: &dyn Store, text: &str) -> Result<Slot, Error> {
    let mut loaded = wait(store.load(&[key(text)], &[]))?;
    Ok(loaded.slots.pop().expect("one slot for one key"))
}

/// An hour.
pub const HOUR: Duration = Duration::from_hours(1);
