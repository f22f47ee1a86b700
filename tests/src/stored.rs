//! Records that show whether they are whole, and stores that are asked for them by text.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keyedcache::Error;
use keyedcache::record::Record;
use keyedcache::store::{Guard, Slot, Store, StoredKey};

use crate::dice::Dice;
use crate::drive::wait;

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
    let mut dice = Dice::of(seed);
    while bytes.len() < length {
        bytes.extend(dice.seed().to_le_bytes());
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
    wait(store.save(&key(text), record, None, Guard::Always, &[]))
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
