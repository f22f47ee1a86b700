//! How everything is laid out in the one tree: an area a kind of entry, told by the first byte.
//!
//! | area | key | value |
//! |---|---|---|
//! | `g` | scope id | hard token, soft token |
//! | `k` | text of the stored key | [`RecordEntry`] |
//! | `l` | text of the stored key | [`LeaseEntry`] |
//! | `p` | | what a look for room writes |
//! | `z` | sequence | [`LogEntry`]: what was stored and changed, in that order; the last in `log.tail` |
//!
//! Numbers in keys are big-endian, so that they sort; numbers in values are little-endian. A value
//! that does not read back counts as absent.

use crate::clock::Moment;
use crate::record::{Generation, GenerationToken};
use crate::store::{HolderId, LeaseToken};

use super::owner::OwnerId;

const GENERATIONS: u8 = b'g';
/// Records by key.
pub(super) const RECORDS: u8 = b'k';
/// Leases by key.
pub(super) const LEASES: u8 = b'l';
const PROBE: u8 = b'p';
/// What was stored and changed. The last area, so that its entries are appended to the tree.
const LOG: u8 = b'z';

/// The longest text of a stored key: LMDB's longest key, less the area.
pub(super) const MAX_TEXT: usize = 510;

/// The key of one entry, built on the stack; by default with room for the longest.
pub(super) struct EntryKey<const ROOM: usize = { 1 + MAX_TEXT }> {
    bytes: [u8; ROOM],
    length: usize,
}

/// The key of an entry that is named by two numbers or a digest.
type FixedKey = EntryKey<17>;

impl<const ROOM: usize> EntryKey<ROOM> {
    fn new(area: u8, parts: [&[u8]; 2]) -> Option<Self> {
        let mut key = Self { bytes: [0; ROOM], length: 1 };
        key.bytes[0] = area;
        for part in parts {
            let end = key.length + part.len();
            key.bytes.get_mut(key.length..end)?.copy_from_slice(part);
            key.length = end;
        }
        Some(key)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl EntryKey {
    fn fixed(area: u8, parts: [&[u8]; 2]) -> FixedKey {
        FixedKey::new(area, parts).expect("fixed parts have at most 16 bytes")
    }

    /// Of the record or the lease of this text; `None` if it is too long to be stored.
    pub(super) fn text(area: u8, text: &str) -> Option<Self> {
        Self::new(area, [text.as_bytes(), &[]])
    }

    /// Of a scope's generation.
    pub(super) fn generation(scope: [u8; 16]) -> FixedKey {
        Self::fixed(GENERATIONS, [&scope, &[]])
    }

    /// Of what a look for room writes.
    pub(super) fn probe() -> FixedKey {
        Self::fixed(PROBE, [&[], &[]])
    }

    /// Of an entry of the log.
    pub(super) fn log(sequence: u64) -> FixedKey {
        Self::fixed(LOG, [&sequence.to_be_bytes(), &[]])
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes))
}

fn half(bytes: &[u8], at: usize) -> Option<[u8; 16]> {
    bytes.get(at..at + 16)?.try_into().ok()
}

/// The sequence in the key of an entry of the log; `None` of other entries.
pub(super) fn sequence_of(key: &[u8]) -> Option<u64> {
    let bytes = key.strip_prefix(&[LOG])?.try_into().ok()?;
    Some(u64::from_be_bytes(bytes))
}

/// How many bytes stand before a record's own.
const HEAD: usize = 16;

/// A record and what the store knows of it.
#[derive(Clone, Copy)]
pub(super) struct RecordEntry<'a> {
    /// When its time is over.
    pub(super) ends: Moment,
    /// The entry of the log that stands for it.
    pub(super) sequence: u64,
    /// Its bytes.
    pub(super) record: &'a [u8],
}

impl<'a> RecordEntry<'a> {
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        Some(Self {
            ends: Moment::from_micros(word(bytes, 0)?),
            sequence: word(bytes, 8)?,
            record: bytes.get(HEAD..)?,
        })
    }

    pub(super) fn encoded_len(&self) -> usize {
        HEAD + self.record.len()
    }

    /// Its head, which the record's bytes follow.
    pub(super) fn head(&self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&self.ends.as_micros().to_le_bytes());
        head[8..].copy_from_slice(&self.sequence.to_le_bytes());
        head
    }
}

/// A lease, or the memory of one that ended with an answer that is not to be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LeaseEntry {
    pub(super) token: LeaseToken,
    /// Who is to be alive for it to stand.
    pub(super) owner: OwnerId,
    /// When it ends; the epoch if there is none.
    pub(super) ends: Moment,
    /// Until when a declined answer is remembered.
    pub(super) declined_until: Moment,
}

impl LeaseEntry {
    pub(super) const LEN: usize = 48;

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            token: LeaseToken::from_bytes(half(bytes, 0)?),
            owner: OwnerId(half(bytes, 16)?),
            ends: Moment::from_micros(word(bytes, 32)?),
            declined_until: Moment::from_micros(word(bytes, 40)?),
        })
    }

    pub(super) fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..16].copy_from_slice(&self.token.to_bytes());
        bytes[16..32].copy_from_slice(&self.owner.0);
        bytes[32..40].copy_from_slice(&self.ends.as_micros().to_le_bytes());
        bytes[40..].copy_from_slice(&self.declined_until.as_micros().to_le_bytes());
        bytes
    }

    /// Whether its time is not over; its owner may be dead all the same.
    pub(super) fn stands(&self, now: Moment) -> bool {
        self.ends > now
    }

    /// Whether a declined answer is still remembered.
    pub(super) fn is_declined(&self, now: Moment) -> bool {
        self.declined_until > now
    }
}

pub(super) fn decode_generation(bytes: &[u8]) -> Option<Generation> {
    Some(Generation {
        hard: GenerationToken(half(bytes, 0)?),
        soft: GenerationToken(half(bytes, 16)?),
    })
}

pub(super) fn encode_generation(generation: Generation) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&generation.hard.0);
    bytes[16..].copy_from_slice(&generation.soft.0);
    bytes
}

/// One change as the other processes are told of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// The record under the key with this digest; by the holder of its lease, if there is one.
    Key { digest: u64, by: Option<HolderId> },
    /// A scope.
    Scope([u8; 16]),
    /// So much that it is not listed.
    Everything,
}

impl Change {
    const LEN: usize = 17;

    fn encode(self) -> [u8; Self::LEN] {
        let (kind, first, second) = match self {
            Self::Key { digest, by: None } => (0, digest.to_le_bytes(), [0; 8]),
            Self::Key { digest, by: Some(by) } => (1, digest.to_le_bytes(), by.0.to_le_bytes()),
            Self::Scope(id) => {
                let mut halves = ([0; 8], [0; 8]);
                halves.0.copy_from_slice(&id[..8]);
                halves.1.copy_from_slice(&id[8..]);
                (2, halves.0, halves.1)
            }
            Self::Everything => (3, [0; 8], [0; 8]),
        };
        let mut bytes = [kind; Self::LEN];
        bytes[1..9].copy_from_slice(&first);
        bytes[9..].copy_from_slice(&second);
        bytes
    }

    /// What an entry of these bytes tells; what cannot be read may have been anything.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let decoded = || {
            let digest = word(bytes, 1)?;
            match bytes[0] {
                0 => Some(Self::Key { digest, by: None }),
                1 => Some(Self::Key { digest, by: Some(HolderId(word(bytes, 9)?)) }),
                2 => half(bytes, 1).map(Self::Scope),
                _ => None,
            }
        };
        decoded().unwrap_or(Self::Everything)
    }
}

/// What was done: a change to tell of and, if a record was stored, which one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LogEntry<'a> {
    pub(super) change: Change,
    pub(super) stored: Option<Stored<'a>>,
}

/// A record that was stored, as the log has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stored<'a> {
    /// When it was to end; a touch may have changed that since.
    pub(super) ends: Moment,
    /// The text of its key.
    pub(super) text: &'a str,
}

impl<'a> LogEntry<'a> {
    const HEAD: usize = Change::LEN + 8;

    /// The longest that one is, with its key and what the tree needs for it.
    pub(super) const LONGEST: u64 = (Self::HEAD + MAX_TEXT + 9 + 16) as u64;

    /// Appends its bytes to others.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.change.encode());
        if let Some(stored) = self.stored {
            bytes.extend_from_slice(&stored.ends.as_micros().to_le_bytes());
            bytes.extend_from_slice(stored.text.as_bytes());
        }
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Self {
        let stored = || {
            let ends = Moment::from_micros(word(bytes, Change::LEN)?);
            let text = std::str::from_utf8(bytes.get(Self::HEAD..)?).ok()?;
            Some(Stored { ends, text })
        };
        Self { change: Change::decode(bytes), stored: stored() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_the_log_reads_back_as_written() {
        let by = Some(HolderId(7));
        let text = "k".repeat(MAX_TEXT);
        let stored = Stored { ends: Moment::from_micros(9), text: &text };
        for entry in [
            LogEntry { change: Change::Key { digest: 1, by }, stored: Some(stored) },
            LogEntry { change: Change::Key { digest: 1, by: None }, stored: None },
            LogEntry { change: Change::Scope([3; 16]), stored: None },
            LogEntry { change: Change::Everything, stored: None },
        ] {
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            assert_eq!(LogEntry::decode(&bytes), entry);
            assert_eq!(Change::decode(&bytes), entry.change);
        }
        assert_eq!(LogEntry::decode(&[1, 2]).change, Change::Everything);
    }
}
