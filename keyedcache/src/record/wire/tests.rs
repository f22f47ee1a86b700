use proptest::prelude::*;

use super::*;
use crate::record::{Generation, GenerationToken, ScopeId};

/// A header with something other than the default in every field.
fn header() -> Header {
    Header {
        id: RecordId([0x11; 16]),
        codec: CodecId::MESSAGE_PACK,
        compressor: CompressorId::ZSTD,
        created: Moment::from_micros(1_700_000_000_000_000),
        fresh_for: Some(Duration::from_mins(1)),
        stale_for: Duration::from_secs(30),
        stale_if_error: Duration::from_hours(1),
        cost: Duration::from_millis(250),
        fingerprint: Fingerprint::of("(i32, i32) -> String"),
        stamp: [(
            ScopeId([0x22; 16]),
            Generation { hard: GenerationToken([0x33; 16]), soft: GenerationToken([0x44; 16]) },
        )]
        .into_iter()
        .collect(),
        tags: vec!["catalog".to_owned(), "größe".to_owned()],
    }
}

fn record() -> Record {
    Record::new(&header(), b"payload").unwrap()
}

fn kind_of(bytes: &[u8]) -> ErrorKind {
    let record = Record::from_bytes(Bytes::copy_from_slice(bytes));
    record.open().expect_err("these bytes are no record").kind()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The record of [`header`] and `payload`, as the first release wrote it. Records outlive programs:
/// when this fails, the format needs another version, not the test other bytes.
const GOLDEN: &str = "
    8e6b6301
    11111111111111111111111111111111
    03010000
    00401e18240a0600
    0087930300000000
    80c3c90100000000
    00a493d600000000
    90d0030000000000
    762d44146af206fd
    0700000001000200
    22222222222222222222222222222222
    33333333333333333333333333333333
    44444444444444444444444444444444
    0700636174616c6f67
    07006772c3b6c39f65
    7061796c6f6164
    393ac512c05244a8
";

#[test]
fn format_1_is_written_byte_for_byte_as_ever() {
    assert_eq!(hex(record().bytes()), hex(&unhex(GOLDEN)));
}

#[test]
fn what_the_first_release_wrote_is_read() {
    let (read, payload) = Record::from_bytes(unhex(GOLDEN)).open().unwrap();
    assert_eq!(read, header());
    assert_eq!(payload, "payload");
}

#[test]
fn empty_payload_and_empty_header_come_back() {
    let header = Header::new(Moment::NEVER);
    let record = Record::new(&header, b"").unwrap();
    assert_eq!(record.id(), header.id);
    assert_eq!(record.open().unwrap(), (header, Bytes::new()));
}

#[test]
fn payload_is_a_slice_of_the_record() {
    let record = record();
    let (_, payload) = record.open().unwrap();
    assert!(record.bytes().as_ptr_range().contains(&payload.as_ptr()));
}

#[test]
fn record_cut_off_anywhere_is_undecodable() {
    let record = record();
    for length in 0..record.bytes().len() {
        assert_eq!(kind_of(&record.bytes()[..length]), ErrorKind::Decode, "at {length}");
    }
}

#[test]
fn record_with_any_one_bit_flipped_is_undecodable() {
    let record = record();
    for bit in 0..record.bytes().len() * 8 {
        let mut bytes = record.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(kind_of(&bytes), ErrorKind::Decode, "bit {bit}");
    }
}

#[test]
fn record_with_something_after_it_is_undecodable() {
    let mut bytes = record().bytes().to_vec();
    bytes.push(0);
    assert_eq!(kind_of(&bytes), ErrorKind::Decode);
}

/// `bytes` with the checksum a program that writes rubbish on purpose would give them.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(body) = bytes.len().checked_sub(CHECKSUM) {
        let checksum = xxh3_64(&bytes[..body]).to_le_bytes();
        bytes[body..].copy_from_slice(&checksum);
    }
    bytes
}

#[test]
fn lengths_and_counts_that_do_not_fit_are_undecodable_even_under_a_good_checksum() {
    for place in 72..HEAD {
        for value in [0xff, 0x7f, 9] {
            let mut bytes = record().bytes().to_vec();
            bytes[place] = value;
            assert_eq!(kind_of(&resealed(bytes)), ErrorKind::Decode, "byte {place}");
        }
    }
}

#[test]
fn unknown_flags_versions_and_magic_are_undecodable() {
    for place in [0, 1, 2, 3, 22, 23] {
        let mut bytes = record().bytes().to_vec();
        bytes[place] += 1;
        assert_eq!(kind_of(&resealed(bytes)), ErrorKind::Decode, "byte {place}");
    }
}

#[test]
fn tag_that_is_not_text_is_undecodable() {
    let mut bytes = record().bytes().to_vec();
    bytes[HEAD + ENTRY + 2] = 0xff;
    assert_eq!(kind_of(&resealed(bytes)), ErrorKind::Decode);
}

#[test]
fn what_the_format_has_no_room_for_is_too_large() {
    let mut many_tags = header();
    many_tags.tags = vec![String::new(); 65_536];
    let mut long_tag = header();
    long_tag.tags = vec!["x".repeat(65_536)];
    for (header, payload) in
        [(header(), vec![0; MAX_PAYLOAD + 1]), (many_tags, Vec::new()), (long_tag, Vec::new())]
    {
        let error = Record::new(&header, &payload).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
    let mut fits = header();
    fits.tags = vec!["x".repeat(65_535); 3];
    assert_eq!(Record::new(&fits, b"").unwrap().open().unwrap().0, fits);
}

#[test]
fn durations_past_what_the_format_can_tell_are_for_ever() {
    let mut endless = header();
    endless.fresh_for = Some(Duration::MAX);
    endless.stale_for = Duration::MAX;
    let (read, _) = Record::new(&endless, b"").unwrap().open().unwrap();
    assert_eq!(read.fresh_for, None);
    assert_eq!(read.stale_until(), Moment::NEVER);
}

#[test]
fn touched_record_has_another_life_and_is_else_the_same() {
    let record = record();
    let life = Life {
        created: Moment::from_micros(42),
        fresh_for: Some(Duration::from_secs(5)),
        ttl: Some(Duration::from_secs(500)),
    };
    let touched = record.touched(life).unwrap();
    let (read, payload) = touched.open().unwrap();
    let expected =
        Header { created: life.created, fresh_for: life.fresh_for, ..record.open().unwrap().0 };
    assert_eq!((read, payload), (expected, Bytes::from_static(b"payload")));
    assert_eq!(touched.id(), record.id());

    let endless = record.touched(Life { fresh_for: None, ..life }).unwrap();
    assert_eq!(endless.open().unwrap().0.fresh_for, None);
}

#[test]
fn touching_never_makes_a_damaged_record_look_sound() {
    let mut bytes = record().bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let life = Life { created: Moment::NEVER, fresh_for: None, ttl: None };
    let damaged = Record::from_bytes(bytes.into());
    assert_eq!(damaged.touched(life).unwrap_err().kind(), ErrorKind::Decode);
}

proptest! {
    #[test]
    fn any_header_and_payload_come_back(
        id: [u8; 16],
        ids: (u8, u8),
        created: u64,
        fresh_for in proptest::option::of(0..u64::MAX),
        times: [u64; 3],
        fingerprint: u64,
        scopes in proptest::collection::vec(any::<[[u8; 16]; 3]>(), 0..6),
        tags in proptest::collection::vec(".{0,12}", 0..4),
        payload in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let [stale_for, stale_if_error, cost] = times.map(Duration::from_micros);
        let entry = |[scope, hard, soft]: [[u8; 16]; 3]| {
            let generation =
                Generation { hard: GenerationToken(hard), soft: GenerationToken(soft) };
            (ScopeId(scope), generation)
        };
        let header = Header {
            id: RecordId(id),
            codec: CodecId(ids.0),
            compressor: CompressorId(ids.1),
            created: Moment::from_micros(created),
            fresh_for: fresh_for.map(Duration::from_micros),
            stale_for,
            stale_if_error,
            cost,
            fingerprint: Fingerprint::from_bits(fingerprint),
            stamp: scopes.into_iter().map(entry).collect(),
            tags,
        };
        let record = Record::new(&header, &payload).unwrap();
        prop_assert_eq!(record.id(), header.id);
        prop_assert_eq!(record.open().unwrap(), (header, payload.into()));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let record = Record::from_bytes(bytes.clone().into());
        prop_assert_eq!(record.open().unwrap_err().kind(), ErrorKind::Decode);

        let mut plausible = bytes;
        if plausible.len() >= 4 {
            plausible[..3].copy_from_slice(&MAGIC);
            plausible[3] = FORMAT;
        }
        let record = Record::from_bytes(resealed(plausible).into());
        if let Err(error) = record.open() {
            prop_assert_eq!(error.kind(), ErrorKind::Decode);
        }
    }
}
