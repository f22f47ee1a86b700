//! What a record says about its payload: by what it was encoded, how long it lives, what it hangs on.
//!
//! Durations are kept in whole microseconds: what is finer is cut off, and what does not fit is for
//! ever.

use std::time::Duration;

use crate::Moment;
use crate::record::{Fingerprint, RecordId, Stamp};

/// Names what turned a value into bytes. Stable: a number never gets another meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CodecId(pub u8);

impl CodecId {
    /// One integer, as decimal ASCII text: what can be incremented.
    pub const COUNTER: Self = Self(1);
    /// A run of bytes, as it is.
    pub const BYTES: Self = Self(2);
    /// `MessagePack`.
    pub const MESSAGE_PACK: Self = Self(3);
    /// JSON.
    pub const JSON: Self = Self(4);
    /// bincode 2, standard configuration.
    pub const BINCODE: Self = Self(5);
}

/// Names what made the payload smaller. Stable: a number never gets another meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CompressorId(pub u8);

impl CompressorId {
    /// Nothing did.
    pub const NONE: Self = Self(0);
    /// zstd.
    pub const ZSTD: Self = Self(1);
    /// lz4.
    pub const LZ4: Self = Self(2);
}

/// What stands before the payload of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Header {
    /// Names the record.
    pub id: RecordId,
    /// What turns the payload back into a value.
    pub codec: CodecId,
    /// What has to be undone before that.
    pub compressor: CompressorId,
    /// From when its times count, on the store's clock.
    pub created: Moment,
    /// How long it is fresh; `None` is for ever.
    pub fresh_for: Option<Duration>,
    /// How long after the end of freshness it may be served while a refresh runs.
    pub stale_for: Duration,
    /// How long after the end of freshness it may be served when computing fails.
    pub stale_if_error: Duration,
    /// How long computing it took.
    pub cost: Duration,
    /// The signature of what made it.
    pub fingerprint: Fingerprint,
    /// The generations it was computed under.
    pub stamp: Stamp,
    /// Tags that only the record knows: scopes beyond those every reader of its key can tell.
    pub tags: Vec<String>,
}

impl Header {
    /// A header with a new id: fresh for ever, never stale, cost nothing, without scopes.
    ///
    /// Its codec is [`CodecId::BYTES`] until something that encodes sets another.
    ///
    /// # Panics
    ///
    /// If the operating system has no random source.
    #[must_use]
    pub fn new(created: Moment) -> Self {
        Self {
            id: RecordId::random(),
            codec: CodecId::BYTES,
            compressor: CompressorId::NONE,
            created,
            fresh_for: None,
            stale_for: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            cost: Duration::ZERO,
            fingerprint: Fingerprint::UNCHECKED,
            stamp: Stamp::new(),
            tags: Vec::new(),
        }
    }

    /// When it stops being fresh.
    #[must_use]
    pub fn fresh_until(&self) -> Moment {
        self.fresh_for.map_or(Moment::NEVER, |fresh_for| self.created.plus(fresh_for))
    }

    /// Until when it may be served while a refresh runs.
    #[must_use]
    pub fn stale_until(&self) -> Moment {
        self.fresh_until().plus(self.stale_for)
    }

    /// Until when it may be served when computing fails.
    #[must_use]
    pub fn error_until(&self) -> Moment {
        self.fresh_until().plus(self.stale_if_error)
    }

    /// When nothing can be done with it any more: the latest of the three.
    #[must_use]
    pub fn last_use(&self) -> Moment {
        self.stale_until().max(self.error_until())
    }

    /// How long after `created` a store has to keep it; `None` is for ever.
    #[must_use]
    pub fn ttl(&self) -> Option<Duration> {
        let last_use = self.last_use();
        (last_use != Moment::NEVER).then(|| last_use.since(self.created))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fresh: Option<u64>, stale: u64, error: u64) -> Header {
        let mut header = Header::new(Moment::from_micros(1_000));
        header.fresh_for = fresh.map(Duration::from_micros);
        header.stale_for = Duration::from_micros(stale);
        header.stale_if_error = Duration::from_micros(error);
        header
    }

    #[test]
    fn store_keeps_a_record_until_the_last_thing_that_can_be_done_with_it() {
        let stale_longer = header(Some(10), 5, 3);
        assert_eq!(stale_longer.fresh_until(), Moment::from_micros(1_010));
        assert_eq!(stale_longer.stale_until(), Moment::from_micros(1_015));
        assert_eq!(stale_longer.error_until(), Moment::from_micros(1_013));
        assert_eq!(stale_longer.ttl(), Some(Duration::from_micros(15)));
        assert_eq!(header(Some(10), 3, 7).ttl(), Some(Duration::from_micros(17)));
    }

    #[test]
    fn record_that_is_fresh_for_ever_is_kept_for_ever() {
        assert_eq!(header(None, 5, 3).last_use(), Moment::NEVER);
        assert_eq!(header(None, 5, 3).ttl(), None);
        assert_eq!(header(Some(10), u64::MAX, 0).ttl(), None);
    }
}
