//! The bytes of a record, format 1.
//!
//! | bytes | what |
//! |---|---|
//! | 0..3 | magic, `8e 6b 63` (no text in any encoding starts so) |
//! | 3 | format version, 1 |
//! | 4..20 | record id |
//! | 20 | codec id |
//! | 21 | compressor id |
//! | 22..24 | flags, zero |
//! | 24..32 | created, µs since the Unix epoch |
//! | 32..40 | fresh for, µs; all ones is for ever |
//! | 40..48 | stale for, µs after the end of freshness |
//! | 48..56 | stale if error, µs after the end of freshness |
//! | 56..64 | cost of computing, µs |
//! | 64..72 | fingerprint of the signature, zero if not checked |
//! | 72..76 | length of the payload |
//! | 76..78 | number of stamp entries |
//! | 78..80 | number of tags |
//! | then | stamp entries: scope id, hard token, soft token, 16 bytes each |
//! | then | tags: length in two bytes, UTF-8 text |
//! | then | payload |
//! | last 8 | XXH3-64 of everything before |
//!
//! Integers are little endian. The checksum stands at the end so that it is made in one pass over
//! one run of bytes. Invariants: reading is total (every input gives a header or an error), and
//! reserves nothing that the bytes at hand do not justify.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

use crate::Moment;
use crate::error::{Error, ErrorKind};
use crate::record::Life;
use crate::record::stamp::{ENTRY, StampInPlace};
use crate::record::{CodecId, CompressorId, Fingerprint, Header, Record, RecordId, Stamp};

/// The largest payload of a record: 64 MiB.
pub const MAX_PAYLOAD: usize = 64 << 20;

const MAGIC: [u8; 3] = [0x8e, b'k', b'c'];
const FORMAT: u8 = 1;
const CREATED: usize = 24;
const FRESH_FOR: usize = 32;
/// Bytes before the stamp.
const HEAD: usize = 80;
const CHECKSUM: usize = 8;
/// `fresh_for` of what is fresh for ever.
const FOR_EVER: u64 = u64::MAX;

impl Record {
    /// The record of this header and payload. One allocation.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] if the payload is longer than [`MAX_PAYLOAD`], or there are more
    /// scopes or tags, or a longer tag, than 65,535.
    pub fn new(header: &Header, payload: &[u8]) -> Result<Self, Error> {
        Self::of_payload(header, header.codec, header.compressor, payload)
    }

    /// The same, of a payload that has been through these, whatever the header says of that.
    pub(crate) fn of_payload(
        header: &Header,
        codec: CodecId,
        compressor: CompressorId,
        payload: &[u8],
    ) -> Result<Self, Error> {
        if payload.len() > MAX_PAYLOAD {
            return Err(too_large("the payload is too long").with("bytes", payload.len()));
        }
        let length = fitting(payload.len(), "the payload is too long")?;
        let scopes = fitting(header.stamp.len(), "there are too many scopes")?;
        let tags = fitting(header.tags.len(), "there are too many tags")?;

        let tag_bytes: usize = header.tags.iter().map(|tag| 2 + tag.len()).sum();
        let stamp = header.stamp.entries();
        let whole = HEAD + stamp.len() + tag_bytes + payload.len() + CHECKSUM;
        let mut bytes = Vec::with_capacity(whole);
        bytes.put_slice(&MAGIC);
        bytes.put_u8(FORMAT);
        bytes.put_slice(&header.id.0);
        bytes.put_u8(codec.0);
        bytes.put_u8(compressor.0);
        bytes.put_u16_le(0);
        bytes.put_u64_le(header.created.as_micros());
        bytes.put_u64_le(header.fresh_for.map_or(FOR_EVER, micros));
        bytes.put_u64_le(micros(header.stale_for));
        bytes.put_u64_le(micros(header.stale_if_error));
        bytes.put_u64_le(micros(header.cost));
        bytes.put_u64_le(header.fingerprint.to_bits());
        bytes.put_u32_le(length);
        bytes.put_u16_le(scopes);
        bytes.put_u16_le(tags);
        bytes.put_slice(stamp);
        for tag in &header.tags {
            bytes.put_u16_le(fitting(tag.len(), "a tag is too long")?);
            bytes.put_slice(tag.as_bytes());
        }
        bytes.put_slice(payload);
        bytes.put_u64_le(xxh3_64(&bytes));
        Ok(Self(bytes.into()))
    }

    /// Its header and its payload, still encoded and compressed.
    ///
    /// Checks everything and copies nothing but tags: stamp and payload are slices of the record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] of anything but the whole bytes of a record of this format.
    pub fn open(&self) -> Result<(Header, Bytes), Error> {
        let opened = InPlace::open(&self.0)?;
        let header = Header {
            id: opened.id,
            codec: opened.codec,
            compressor: opened.compressor,
            created: opened.created,
            fresh_for: opened.fresh_for,
            stale_for: opened.stale_for,
            stale_if_error: opened.stale_if_error,
            cost: opened.cost,
            fingerprint: opened.fingerprint,
            stamp: Stamp::from_entries(self.0.slice_ref(opened.entries)),
            tags: take_tags(&mut &*opened.tags, opened.tag_count)?,
        };
        Ok((header, self.0.slice_ref(opened.payload)))
    }

    /// The same record with another life: its id, its stale windows and all else stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if this is not a whole record; a damaged one is never made to look
    /// sound.
    pub fn touched(&self, life: Life) -> Result<Self, Error> {
        let body = verified(&self.0)?;
        let mut bytes = BytesMut::with_capacity(self.0.len());
        bytes.put_slice(&body[..CREATED]);
        bytes.put_u64_le(life.created.as_micros());
        bytes.put_u64_le(life.fresh_for.map_or(FOR_EVER, micros));
        bytes.put_slice(&body[FRESH_FOR + 8..]);
        bytes.put_u64_le(xxh3_64(&bytes));
        Ok(Self(bytes.freeze()))
    }
}

/// A record understood where it stands, in bytes of somebody else's: the same checks as in
/// [`Record::open`], and no copies. Its fields are those of a [`Header`].
pub(crate) struct InPlace<'a> {
    id: RecordId,
    pub(crate) codec: CodecId,
    pub(crate) compressor: CompressorId,
    pub(crate) created: Moment,
    pub(crate) fresh_for: Option<Duration>,
    pub(crate) stale_for: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) cost: Duration,
    pub(crate) fingerprint: Fingerprint,
    entries: &'a [u8],
    tags: &'a [u8],
    tag_count: usize,
    /// Still encoded and compressed.
    pub(crate) payload: &'a [u8],
}

impl<'a> InPlace<'a> {
    /// Reads the bytes of a record.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let body = verified(bytes)?;
        let (head, rest) = body.split_at(HEAD);
        let mut head = &head[Record::ID.start..];
        let id = RecordId(head.get_u128_le().to_le_bytes());
        let codec = CodecId(head.get_u8());
        let compressor = CompressorId(head.get_u8());
        if head.get_u16_le() != 0 {
            return Err(undecodable("it bears flags that this version does not know"));
        }
        let created = Moment::from_micros(head.get_u64_le());
        let fresh_for = head.get_u64_le();
        let mut duration = || Duration::from_micros(head.get_u64_le());
        let (stale_for, stale_if_error, cost) = (duration(), duration(), duration());
        let fingerprint = Fingerprint::from_bits(head.get_u64_le());
        let length = head.get_u32_le() as usize;
        let (scopes, tag_count) = (usize::from(head.get_u16_le()), usize::from(head.get_u16_le()));

        let stamp = rest.split_at_checked(scopes * ENTRY);
        let (entries, rest) = stamp.ok_or_else(|| undecodable("its stamp is cut off"))?;
        let mut after_tags = rest;
        for _ in 0..tag_count {
            take_tag(&mut after_tags)?;
        }
        if after_tags.len() != length {
            return Err(undecodable("its payload is not as long as it says"));
        }
        let (tags, payload) = rest.split_at(rest.len() - length);
        Ok(Self {
            id,
            codec,
            compressor,
            created,
            fresh_for: (fresh_for != FOR_EVER).then(|| Duration::from_micros(fresh_for)),
            stale_for,
            stale_if_error,
            cost,
            fingerprint,
            entries,
            tags,
            tag_count,
            payload,
        })
    }

    /// As [`Header::fresh_until`].
    pub(crate) fn fresh_until(&self) -> Moment {
        self.fresh_for.map_or(Moment::NEVER, |fresh_for| self.created.plus(fresh_for))
    }

    /// The generations it was computed under.
    pub(crate) fn stamp(&self) -> StampInPlace<'a> {
        StampInPlace::of(self.entries)
    }
}

/// All but the checksum, of bytes that are long enough for a header, of this format, and undamaged.
fn verified(bytes: &[u8]) -> Result<&[u8], Error> {
    if bytes.len() < HEAD + CHECKSUM {
        return Err(undecodable("it is too short"));
    }
    if bytes[..3] != MAGIC {
        return Err(undecodable("it does not start like a record"));
    }
    if bytes[3] != FORMAT {
        return Err(undecodable("it is of another format version").with("version", bytes[3]));
    }
    let (body, mut checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    if checksum.get_u64_le() != xxh3_64(body) {
        return Err(undecodable("its checksum does not fit"));
    }
    Ok(body)
}

/// Takes `count` tags off the front.
fn take_tags(rest: &mut &[u8], count: usize) -> Result<Vec<String>, Error> {
    // Each takes two bytes at least.
    let mut tags = Vec::with_capacity(count.min(rest.len() / 2));
    for _ in 0..count {
        tags.push(take_tag(rest)?.to_owned());
    }
    Ok(tags)
}

fn take_tag<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Error> {
    let cut_off = || undecodable("its tags are cut off");
    let length = rest.try_get_u16_le().map_err(|_| cut_off())?;
    let text = rest.split_off(..usize::from(length)).ok_or_else(cut_off)?;
    std::str::from_utf8(text).map_err(|_| undecodable("a tag is not text"))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// `count` in the width the format has for it.
fn fitting<T: TryFrom<usize>>(count: usize, otherwise: &'static str) -> Result<T, Error> {
    T::try_from(count).map_err(|_| too_large(otherwise).with("count", count))
}

fn too_large(message: &'static str) -> Error {
    Error::new(ErrorKind::TooLarge, "make a record", message)
}

#[cold]
fn undecodable(message: &'static str) -> Error {
    Error::new(ErrorKind::Decode, "read a record", message)
}

#[cfg(test)]
mod tests;
