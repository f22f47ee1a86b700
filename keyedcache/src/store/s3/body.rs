//! The bytes of an object: a head that says what it holds, and the record.
//!
//! | bytes of the head | what |
//! |---|---|
//! | 0..4 | magic `8e 6b 73`, format version 1 |
//! | 4..20 | write id |
//! | 20..28 | when the record's time is over, µs since the Unix epoch; all ones is never |
//! | 28..52 | lease: token, and when it ends; with an end of zero, the generation of the key that the record was made under, or zeros |
//! | 52..60 | until when the key is marked as declined |
//! | 60..64 | length of the record; all ones is none |
//! | 64..68 | length of the part of the record that is the document's `value`, else zero |
//! | 68..70 | length of the key |
//! | then | the key |
//! | 8 more | XXH3-64 of the head so far |
//!
//! Integers are little endian, a moment of zero is none. A record whose payload is JSON makes the
//! whole body one JSON document, in which the head and the rest of the record are a string of
//! hexadecimal digits:
//!
//! ```text
//! {"keyedcache":"8e6b73…","key":"…","created":"…","expires":"…","value":…}
//! ```
//!
//! Any other body is the head, then the record. Either is padded to its [class](super::telltale).
//! Only the head and the lengths in it are ever read back; the rest of a document is for people. What
//! does not read back is foreign: it is handed on as a record that nobody can decode, which is how it
//! gets replaced.

use std::fmt::Write;
use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

use super::place::{Kept, Lease, Place, WriteId};
use super::telltale;
use crate::clock::Moment;
use crate::record::{CodecId, CompressorId, GenerationToken, Record};
use crate::store::{LeaseToken, StoredKey};

const MAGIC: [u8; 4] = [0x8e, b'k', b's', 1];
/// Bytes of the head before the key.
const FIXED: usize = 70;
const CHECKSUM: usize = 8;
/// The record length of no record.
const NO_RECORD: u32 = u32::MAX;
/// The checksum of a record, which stands after its payload.
const RECORD_TAIL: usize = 8;
/// What a document begins with.
const DOCUMENT: &[u8] = b"{\"keyedcache\":\"";

/// As many bytes of a body as hold the head of any.
pub(super) const HEAD_ROOM: u64 = 4_096;

/// What the head of a body says.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) write: WriteId,
    /// With a record of no bytes, if there is one: only the whole body has those.
    pub(super) place: Place,
    record: Option<u32>,
    value: u32,
}

/// A body: what it holds, and which write it is.
#[derive(Clone, Debug)]
pub(super) struct Read {
    /// `None` of what is foreign.
    pub(super) write: Option<WriteId>,
    pub(super) place: Place,
}

/// The body of a place that is written now.
pub(super) fn write(place: &Place, write: WriteId, now: Moment) -> Bytes {
    let class = match place.record_alone() {
        Some(kept) => telltale::class_of_record(kept.ttl(now)),
        None => telltale::class_of_anything(),
    };
    let value = value_of(place);
    let head = head_bytes(place, write, value.as_ref().map_or(0, |value| value.end - value.start));
    let record = place.record.as_ref().map_or(&[][..], |kept| kept.record.bytes());
    let mut body = BytesMut::with_capacity(2 * head.len() + record.len() + 1_024);
    match (value, &place.record) {
        (Some(value), _) => {
            let rest = [&record[..value.start], &record[value.end..]];
            document(&mut body, place, &[&head, rest[0], rest[1]], &record[value]);
        }
        (None, None) => document(&mut body, place, &[&head], b"null"),
        (None, Some(_)) => {
            body.put_slice(&head);
            body.put_slice(record);
        }
    }
    let padding = telltale::padding(body.len(), class);
    // White space, so that a document stays one.
    body.put_bytes(b'\n', padding);
    body.freeze()
}

/// What a body holds.
pub(super) fn read(key: &StoredKey, body: &Bytes) -> Read {
    parse(body).filter(|read| read.place.key == *key).unwrap_or_else(|| {
        let record = Record::from_bytes(body.clone());
        let place = Place::with_record(key.clone(), record, Moment::NEVER);
        Read { write: None, place }
    })
}

/// What the first [`HEAD_ROOM`] bytes of a body say; `None` of what is foreign.
pub(super) fn read_head(start: &[u8]) -> Option<Head> {
    match start.strip_prefix(DOCUMENT) {
        Some(rest) => parse_head(&unhex(digits(rest))).map(|(head, _)| head),
        None => parse_head(start).map(|(head, _)| head),
    }
}

fn parse(body: &Bytes) -> Option<Read> {
    let (head, rest, value) = match body.strip_prefix(DOCUMENT) {
        None => {
            let (head, length) = parse_head(body)?;
            (head, body.slice(length..), Bytes::new())
        }
        Some(rest) => {
            let bytes = Bytes::from(unhex(digits(rest)));
            let (head, length) = parse_head(&bytes)?;
            let trimmed = body.trim_ascii_end().len();
            let value = usize::try_from(head.value).ok()?;
            let end = trimmed.checked_sub(1)?;
            let value = body.slice(end.checked_sub(value)?..end);
            (head, bytes.slice(length..), value)
        }
    };
    let mut place = head.place;
    if let (Some(kept), Some(length)) = (&mut place.record, head.record) {
        kept.record = Record::from_bytes(assembled(&rest, &value, usize::try_from(length).ok()?)?);
    }
    Some(Read { write: Some(head.write), place })
}

/// The bytes of a record from what stands beside its value, and the value.
fn assembled(rest: &Bytes, value: &Bytes, length: usize) -> Option<Bytes> {
    if value.is_empty() {
        return (rest.len() >= length).then(|| rest.slice(..length));
    }
    let split = length.checked_sub(value.len() + RECORD_TAIL)?;
    if rest.len() != split + RECORD_TAIL {
        return None;
    }
    let mut record = BytesMut::with_capacity(length);
    record.put_slice(&rest[..split]);
    record.put_slice(value);
    record.put_slice(&rest[split..]);
    Some(record.freeze())
}

/// Where in its record the payload stands, if that is JSON.
fn value_of(place: &Place) -> Option<Range<usize>> {
    let record = &place.record.as_ref()?.record;
    let (header, payload) = record.open().ok()?;
    let is_json = matches!(header.codec, CodecId::JSON | CodecId::COUNTER)
        && header.compressor == CompressorId::NONE;
    let end = record.bytes().len() - RECORD_TAIL;
    (is_json && !payload.is_empty()).then(|| end - payload.len()..end)
}

fn head_bytes(place: &Place, write: WriteId, value: usize) -> Bytes {
    let key = place.key.as_str().as_bytes();
    // A key that is longer is told by its digest alone.
    let key = &key[..key.len().min(usize::from(u16::MAX))];
    let micros = |moment: Option<Moment>| moment.map_or(0, Moment::as_micros);
    let length = |length: usize| u32::try_from(length).unwrap_or(NO_RECORD);
    let mut head = BytesMut::with_capacity(FIXED + key.len() + CHECKSUM);
    head.put_slice(&MAGIC);
    head.put_slice(&write.0);
    head.put_u64_le(micros(place.record.as_ref().map(|kept| kept.until)));
    let under = place.under.map_or([0; 16], |under| under.0);
    head.put_slice(&place.lease.map_or(under, |lease| lease.token.to_bytes()));
    head.put_u64_le(micros(place.lease.map(|lease| lease.until)));
    head.put_u64_le(micros(place.declined_until));
    head.put_u32_le(
        place.record.as_ref().map_or(NO_RECORD, |kept| length(kept.record.bytes().len())),
    );
    head.put_u32_le(length(value));
    head.put_u16_le(u16::try_from(key.len()).unwrap_or(u16::MAX));
    head.put_slice(key);
    head.put_u64_le(xxh3_64(&head));
    head.freeze()
}

/// The head at the start of these bytes, and its length.
fn parse_head(bytes: &[u8]) -> Option<(Head, usize)> {
    let mut rest = bytes.strip_prefix(&MAGIC)?;
    if rest.len() < FIXED - MAGIC.len() {
        return None;
    }
    let sixteen = |rest: &mut &[u8]| rest.get_u128_le().to_le_bytes();
    let moment = |micros: u64| (micros != 0).then(|| Moment::from_micros(micros));
    let write = WriteId(sixteen(&mut rest));
    let until = Moment::from_micros(rest.get_u64_le());
    let token = sixteen(&mut rest);
    let lease_until = moment(rest.get_u64_le());
    let is_under = lease_until.is_none() && token != [0; 16];
    let under = is_under.then_some(GenerationToken(token));
    let lease = lease_until.map(|until| Lease { token: LeaseToken::from_bytes(token), until });
    let declined_until = moment(rest.get_u64_le());
    let record = Some(rest.get_u32_le()).filter(|length| *length != NO_RECORD);
    let value = rest.get_u32_le();
    let end = FIXED + usize::from(rest.get_u16_le());
    let mut checksum = bytes.get(end..end + CHECKSUM)?;
    if checksum.get_u64_le() != xxh3_64(&bytes[..end]) {
        return None;
    }
    let key = StoredKey::new(std::str::from_utf8(&bytes[FIXED..end]).ok()?);
    let kept = record.map(|_| Kept { record: Record::from_bytes(Bytes::new()), until });
    let place = Place { key, record: kept, lease, declined_until, under };
    Some((Head { write, place, record, value }, end + CHECKSUM))
}

/// One JSON document: what is read back, what people read, and the value.
fn document(body: &mut BytesMut, place: &Place, machine: &[&[u8]], value: &[u8]) {
    body.put_slice(DOCUMENT);
    for byte in machine.iter().copied().flatten() {
        body.put_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
    }
    let mut people = String::from("\",\"key\":");
    quote(&mut people, place.key.as_str());
    let header = place.record.as_ref().and_then(|kept| kept.record.open().ok());
    let moments = [
        ("created", header.map(|(header, _)| header.created)),
        ("expires", place.record.as_ref().map(|kept| kept.until)),
        ("leased_until", place.lease.map(|lease| lease.until)),
        ("declined_until", place.declined_until),
    ];
    for (name, moment) in moments {
        if let Some(moment) = moment {
            write_out(&mut people, format_args!(",\"{name}\":{}", shown(moment)));
        }
    }
    people.push_str(",\"value\":");
    body.put_slice(people.as_bytes());
    body.put_slice(value);
    body.put_u8(b'}');
}

/// A moment as JSON: text of RFC 3339, or `null` for never.
fn shown(moment: Moment) -> String {
    /// The last second of the year 9999, beyond which RFC 3339 does not go.
    const LAST: u64 = 253_402_300_799_000_000;
    if moment == Moment::NEVER {
        return "null".to_owned();
    }
    let since = Duration::from_micros(moment.as_micros().min(LAST));
    format!("\"{}\"", humantime::format_rfc3339_millis(UNIX_EPOCH + since))
}

/// Text as JSON.
fn quote(into: &mut String, text: &str) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => into.extend(['\\', c]),
            c if c.is_control() => write_out(into, format_args!("\\u{:04x}", u32::from(c))),
            c => into.push(c),
        }
    }
    into.push('"');
}

fn write_out(into: &mut String, text: std::fmt::Arguments<'_>) {
    into.write_fmt(text).expect("a string takes all that is written to it");
}

fn hex_digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value)]
}

/// The hexadecimal digits that `text` begins with.
fn digits(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(text.len());
    &text[..end]
}

fn unhex(digits: &[u8]) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => 0,
    };
    digits.chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect()
}

#[cfg(test)]
mod tests;
