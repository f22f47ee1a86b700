//! Records: what a store keeps under a key, and the tokens that decide whether it is current.
//!
//! A store treats a [`Record`] as opaque bytes, but for three things it may ask of it: its
//! [`RecordId`] at a fixed place, a [touched](Record::touched) copy with another life, and, for
//! counters, an [incremented](Record::incremented) copy.

mod counter;
mod fingerprint;
mod header;
mod random;
mod stamp;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Moment;

pub(crate) use counter::integer;
pub use fingerprint::Fingerprint;
pub use header::{CodecId, CompressorId, Header};
pub(crate) use random::random_bytes;
#[cfg(feature = "disk")]
pub(crate) use random::tell_processes_by;
pub use stamp::Stamp;
pub(crate) use stamp::StampInPlace;
pub(crate) use wire::InPlace;
pub use wire::MAX_PAYLOAD;

/// 128 random bits that name one record; no two records ever share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub [u8; 16]);

/// 128 random bits that a scope bears until it is invalidated.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GenerationToken(pub [u8; 16]);

/// What a scope bears now: a hard token, whose change makes records missing, and a soft one, whose
/// change makes them stale.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Generation {
    /// Replaced by a hard invalidation.
    pub hard: GenerationToken,
    /// Replaced by a soft invalidation.
    pub soft: GenerationToken,
}

/// The first 128 bits of the BLAKE3 digest of a scope's text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub [u8; 16]);

/// Something that can be invalidated as a whole: the cache, a key prefix, a tag.
///
/// Its text is its stored form, unique across everything that shares the store.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    text: Arc<str>,
    id: ScopeId,
}

impl Scope {
    /// The scope of this stored form.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
        Self { text, id: ScopeId(id) }
    }

    /// Its stored form.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its digest.
    #[must_use]
    pub fn id(&self) -> ScopeId {
        self.id
    }
}

/// The new life of a record, for a touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// From when its times count.
    pub created: Moment,
    /// How long it is fresh; `None` is for ever.
    pub fresh_for: Option<Duration>,
    /// How long the store keeps it; `None` is for ever.
    pub ttl: Option<Duration>,
}

/// The stored bytes of one value: header and payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Record(Bytes);

impl Record {
    /// Where the record id stands.
    const ID: std::ops::Range<usize> = 4..20;

    /// Takes bytes as a store returned them. Nothing is checked; reading the header is.
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes a store keeps.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The record id; of bytes too short to hold one, a digest of them, so that even rubbish can be
    /// told from what replaces it.
    #[must_use]
    pub fn id(&self) -> RecordId {
        Self::id_of(&self.0)
    }

    /// The record id of borrowed bytes, as [`Record::id`] tells it.
    #[must_use]
    pub fn id_of(bytes: &[u8]) -> RecordId {
        let mut id = [0; 16];
        match bytes.get(Self::ID) {
            Some(found) => id.copy_from_slice(found),
            None => id.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]),
        }
        RecordId(id)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({:?}, {} bytes)", self.id(), self.0.len())
    }
}

macro_rules! random_token {
    ($($token:ident by $random:path),*) => {$(
        impl $token {
            /// A new one, from the operating system's random source.
            ///
            /// # Panics
            ///
            /// If the operating system has no random source.
            #[must_use]
            pub fn random() -> Self {
                Self($random())
            }
        }

        impl fmt::Debug for $token {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($token), "("))?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(")")
            }
        }
    )*};
}
random_token!(RecordId by random::random_id, GenerationToken by random_bytes);

impl Generation {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self { hard: GenerationToken::random(), soft: GenerationToken::random() }
    }
}

impl fmt::Debug for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScopeId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({})", self.text)
    }
}
