//! What was not written by this crate, or has been tampered with.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Product, Shape, codecs, compressions, product};
use crate::codec::{Codec, decode, decode_payload, seal, unseal};
use crate::record::{CodecId, CompressorId, Header, Record};
use crate::{ErrorKind, Moment};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Chain {
    End,
    Link(Box<Chain>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Tree>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Peano(Option<Box<Peano>>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    next: Option<Box<Node>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Loose {
    Number(i64),
    Text(String),
    List(Vec<Loose>),
    Map(BTreeMap<String, Loose>),
}

/// Decodes as one type after another; the kind of every error is `Decode`.
fn decode_as_everything(codec: CodecId, bytes: &[u8]) {
    macro_rules! each {
        ($($type:ty),* $(,)?) => {$(
            if let Err(error) = decode::<$type>(codec, &bytes.to_vec().into()) {
                assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
            }
        )*};
    }
    each!(
        (), bool, char, u8, i64, u128, f64, String, Vec<u8>, Box<[u8]>, [u16; 3],
        Option<Option<u8>>, Vec<()>, Vec<String>, Vec<Vec<u64>>, HashSet<()>,
        HashMap<u64, String>, BTreeMap<String, Vec<f32>>, Result<Product, String>, Shape,
        Chain, Tree, Peano, Node, Loose, serde::de::IgnoredAny,
    );
}

/// On a stack as small as that of a runtime's thread.
fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(body).unwrap();
    thread.join().expect("no panic");
}

#[test]
fn deeply_nested_bytes_do_not_overflow_the_stack() {
    on_a_small_stack(|| {
        let repeat = |unit: &[u8]| unit.repeat(100_000);
        let attacks = [
            // MessagePack: arrays, maps, `{"Link": {"Link": …`, `{"next": {"next": …`, anything.
            repeat(&[0x91]),
            repeat(&[0x81]),
            repeat(&[0x81, 0xa0]),
            repeat(&[0x81, 0xa4, b'L', b'i', b'n', b'k']),
            repeat(&[0x81, 0xa4, b'n', b'e', b'x', b't']),
            repeat(&[0xc7, 1, 1]),
            // JSON.
            repeat(b"["),
            repeat(b"{\"Link\":"),
            repeat(b"{\"next\":"),
            repeat(b"{\"\":"),
            // bincode: one variant, one element, one `Some` a byte.
            repeat(&[1]),
            // What none consumes.
            vec![b'1'],
            vec![1],
        ];
        for attack in attacks {
            for codec in 1..=5 {
                decode_as_everything(CodecId(codec), &attack);
            }
        }
    });
}

#[test]
fn values_as_deep_as_is_allowed_come_back_and_deeper_ones_are_refused() {
    on_a_small_stack(|| {
        let chain = |depth| (0..depth).fold(Chain::End, |chain, _| Chain::Link(Box::new(chain)));
        for codec in codecs() {
            let mut deepest = 0;
            for depth in 0..300 {
                let chain = chain(depth);
                match codec.encode(&chain) {
                    Ok(encoded) => {
                        let read: Chain = decode(encoded.codec, &encoded.bytes).unwrap();
                        assert_eq!(read, chain);
                        deepest = depth;
                    }
                    Err(error) => {
                        assert!(error.to_string().contains("nested too deep"), "{error}");
                    }
                }
            }
            assert!((118..260).contains(&deepest), "{codec:?}: {deepest}");
        }
        for codec in codecs() {
            let node = |depth| (0..depth).fold(None, |next, _| Some(Box::new(Node { next })));
            let encoded = codec.encode(&node(110)).unwrap();
            assert_eq!(
                decode::<Option<Box<Node>>>(encoded.codec, &encoded.bytes).unwrap(),
                node(110)
            );
            let tree = |depth| (0..depth).fold(Tree(Vec::new()), |tree, _| Tree(vec![tree]));
            let encoded = codec.encode(&tree(110)).unwrap();
            assert_eq!(decode::<Tree>(encoded.codec, &encoded.bytes).unwrap(), tree(110));
        }
    });
}

#[test]
fn announced_lengths_are_not_believed() {
    // Each announces about 2^32 or 2^64 elements and brings none or few.
    let announcements: [&[u8]; 8] = [
        &[0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0xc6, 0xff, 0xff, 0xff, 0xff],
        &[0xdb, 0xff, 0xff, 0xff, 0xff],
        &[0xc9, 0xff, 0xff, 0xff, 0xff, 1],
        &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0xfc, 0xff, 0xff, 0xff, 0x3f],
    ];
    for announcement in announcements {
        for codec in [CodecId::MESSAGE_PACK, CodecId::JSON, CodecId::BINCODE] {
            decode_as_everything(codec, announcement);
            decode_as_everything(codec, &[announcement, &[0xc0; 100]].concat());
        }
    }
}

#[cfg(feature = "bincode")]
#[test]
fn elements_of_no_size_are_counted() {
    let forever = [&[0xfd][..], &u64::MAX.to_le_bytes()].concat();
    let error = decode::<Vec<()>>(CodecId::BINCODE, &forever.into()).unwrap_err();
    assert!(error.to_string().contains("more elements"), "{error}");
}

/// A record with the bytes `changes` says changed, under a checksum that fits again.
fn tampered(record: &Record, changes: &[(usize, u8)]) -> Record {
    let mut bytes = record.bytes().to_vec();
    let body = bytes.len() - 8;
    for (place, value) in changes {
        bytes[place % body] = *value;
    }
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..body]).to_le_bytes();
    bytes[body..].copy_from_slice(&checksum);
    Record::from_bytes(bytes.into())
}

fn unseal_as_everything(record: &Record) {
    let Ok((header, payload)) = record.open() else { return };
    let _ = record.incremented(1);
    if let Ok(plain) = crate::compress::decompress(header.compressor, payload.clone()) {
        decode_as_everything(header.codec, &plain);
    }
    if let Err(error) = decode_payload::<Product>(&header, &payload) {
        assert_eq!(error.kind(), ErrorKind::Decode);
    }
}

fn value_records() -> Vec<Record> {
    let mut records = Vec::new();
    for codec in codecs() {
        for compression in compressions() {
            let header = Header::new(Moment::from_micros(5));
            records.push(seal(&header, &vec![product(); 2], codec, compression).unwrap());
            records.push(seal(&header, &product().blob, codec, compression).unwrap());
            let tree = Tree(vec![Tree(vec![]), Tree(vec![Tree(vec![])])]);
            records.push(seal(&header, &tree, codec, compression).unwrap());
        }
    }
    records.push(Record::counter(Header::new(Moment::NEVER), -42).unwrap());
    records
}

#[test]
fn record_of_a_value_with_any_byte_damaged_is_undecodable() {
    for codec in codecs() {
        let header = Header::new(Moment::from_micros(5));
        let record = seal(&header, &product(), codec, crate::compress::Compression::default());
        let record = record.unwrap();
        for place in 0..record.bytes().len() {
            let mut bytes = record.bytes().to_vec();
            bytes[place] ^= 0x10;
            let error = unseal::<Product>(&Record::from_bytes(bytes.into())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_payloads_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        for codec in 0..8 {
            decode_as_everything(CodecId(codec), &bytes);
        }
    }

    #[test]
    fn arbitrary_json_like_text_never_panics(text in "[\\[\\]{}\",:0-9a-zNL.eE\\\\-]{0,60}") {
        decode_as_everything(Codec::Json.id(), text.as_bytes());
    }

    #[test]
    fn tampered_records_never_panic(
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        codec in proptest::option::of(0_u8..7),
        compressor in proptest::option::of(0_u8..4),
    ) {
        for record in value_records() {
            let mut changes = changes.clone();
            changes.extend(codec.map(|codec| (20, codec)));
            changes.extend(compressor.map(|compressor| (21, compressor)));
            unseal_as_everything(&tampered(&record, &changes));
        }
    }
}

#[test]
fn record_that_names_a_compressor_it_was_not_packed_by_is_undecodable() {
    let mut header = Header::new(Moment::NEVER);
    for compressor in [CompressorId::ZSTD, CompressorId::LZ4, CompressorId(200)] {
        header.compressor = compressor;
        let record = Record::new(&header, b"not compressed at all").unwrap();
        assert_eq!(unseal::<Vec<u8>>(&record).unwrap_err().kind(), ErrorKind::Decode);
    }
}
