#![allow(clippy::needless_pass_by_value)] // the values are made for it
#![cfg(any(feature = "msgpack", feature = "json", feature = "bincode"))]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Deserialize;

use super::*;
use crate::Moment;
use crate::compress::{Compression, Compressor};
use crate::record::{CompressorId, Header, Record};

mod hostile;

fn codecs() -> Vec<Codec> {
    vec![
        #[cfg(feature = "msgpack")]
        Codec::MessagePack,
        #[cfg(feature = "json")]
        Codec::Json,
        #[cfg(feature = "bincode")]
        Codec::Bincode,
    ]
}

fn compressions() -> Vec<Compression> {
    let small = |compressor| Compression::new(compressor).with_min_size(0);
    vec![
        small(Compressor::None),
        #[cfg(feature = "zstd")]
        small(Compressor::ZSTD),
        #[cfg(feature = "lz4")]
        small(Compressor::Lz4),
    ]
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f64),
    Segment(i32, i32),
    Named { name: String, inner: Option<Box<Shape>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Product {
    id: u64,
    name: String,
    price: Option<i128>,
    shape: Shape,
    blob: Vec<u8>,
    counts: BTreeMap<String, u32>,
    marker: PhantomData<u8>,
    unit: (),
}

fn product() -> Product {
    Product {
        id: u64::MAX,
        name: "größe 漢字 🦀 \0 \"".to_owned(),
        price: Some(i128::MIN),
        shape: Shape::Named {
            name: String::new(),
            inner: Some(Box::new(Shape::Segment(-1, i32::MIN))),
        },
        blob: (0..=255).collect(),
        counts: [("a".to_owned(), 1), (String::new(), u32::MAX)].into(),
        marker: PhantomData,
        unit: (),
    }
}

/// Seals and unseals `value` by every codec and compressor.
fn comes_back<T>(value: T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    for codec in codecs() {
        comes_back_by(codec, &value);
    }
}

fn comes_back_by<T>(codec: Codec, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    for compression in compressions() {
        let header = Header::new(Moment::from_micros(1));
        let record = seal(&header, value, codec, compression).expect("it can be encoded");
        let (read, decoded) = unseal::<T>(&record).expect("it can be decoded");
        assert_eq!(&decoded, value, "{codec:?} {compression:?}");
        assert_eq!((read.id, read.created), (header.id, header.created));
    }
}

#[test]
fn values_come_back_by_every_codec_and_compressor() {
    comes_back(());
    comes_back(true);
    comes_back('🦀');
    comes_back(None::<u32>);
    comes_back(Some(7_u32));
    comes_back(Some(Some(7_u32)));
    comes_back(i64::MIN);
    comes_back(u64::MAX);
    comes_back((i128::MIN, u128::MAX));
    comes_back(String::new());
    comes_back("größe 漢字 🦀 \0".repeat(100));
    comes_back(Vec::<String>::new());
    comes_back([1.5_f32, -0.0, f32::MIN_POSITIVE, f32::MAX]);
    comes_back(vec![Shape::Nothing, Shape::Circle(0.1), Shape::Segment(1, 2)]);
    comes_back(product());
    comes_back(Ok::<Vec<Product>, String>(vec![product(); 3]));
    comes_back(Err::<Product, String>("no such product".to_owned()));
    comes_back(HashMap::from([(7_u64, "seven".to_owned()), (0, String::new())]));
    comes_back(Ipv4Addr::LOCALHOST);
    comes_back(Arc::<str>::from("shared").to_string());
}

#[test]
fn floats_come_back_to_the_last_bit() {
    // The first is one that serde_json reads wrong by default.
    for bits in [0x3fe9_21fb_5444_2d18_u64, 0x4030_0000_0000_0001, 0x3c07_4e51_3e1c_8a99, 1] {
        comes_back(f64::from_bits(bits));
    }
    let mut state = 1_u64;
    for _ in 0..2_000 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let float = f64::from_bits(state);
        for codec in codecs() {
            if float.is_finite() {
                let encoded = codec.encode(&float).unwrap();
                let decoded: f64 = decode(encoded.codec, &encoded.bytes).unwrap();
                assert_eq!(decoded.to_bits(), float.to_bits(), "{codec:?}");
            }
        }
    }
}

#[test]
fn maps_with_any_keys_come_back_where_the_codec_has_them() {
    let map = BTreeMap::from([((1_u8, 'a'), 1.5), ((2, 'b'), 2.5)]);
    for codec in codecs() {
        if codec == Codec::Json {
            let error = codec.encode(&map).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Encode);
            assert!(error.to_string().contains("keys of a map are strings"), "{error}");
        } else {
            comes_back_by(codec, &map);
        }
    }
}

#[test]
fn record_is_decoded_by_the_codec_it_names() {
    for codec in codecs() {
        let encoded = codec.encode(&("text", 15_u8)).unwrap();
        assert_eq!(encoded.codec, codec.id());
        let decoded: (String, u8) = decode(codec.id(), &encoded.bytes).unwrap();
        assert_eq!(decoded, ("text".to_owned(), 15));
    }
}

#[test]
fn unknown_codec_is_undecodable_and_named() {
    let error = decode::<u8>(CodecId(77), &Bytes::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("77"), "{error}");
}

#[cfg(not(feature = "bincode"))]
#[test]
fn codec_whose_feature_is_off_names_it() {
    let error = decode::<u8>(CodecId::BINCODE, &Bytes::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("feature `bincode`"), "{error}");
    assert_eq!(Codec::Bincode.encode(&1).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[derive(Serialize)]
struct Before {
    name: &'static str,
    gone: u8,
}

#[derive(Deserialize, PartialEq, Debug)]
struct After {
    #[serde(default)]
    added: Vec<u32>,
    name: String,
}

#[test]
fn added_field_with_a_default_reads_old_records() {
    for codec in codecs().into_iter().filter(|codec| *codec != Codec::Bincode) {
        let encoded = codec.encode(&Before { name: "old", gone: 1 }).unwrap();
        let after: After = decode(encoded.codec, &encoded.bytes).unwrap();
        assert_eq!(after, After { added: Vec::new(), name: "old".to_owned() });
    }
}

#[test]
fn bytes_after_the_value_are_an_error() {
    for codec in codecs() {
        for more in [&[0_u8][..], &[0xc0], b"1", &[0x81, 0x01]] {
            let encoded = codec.encode(&product()).unwrap();
            let longer = [&encoded.bytes, more].concat().into();
            let error = decode::<Product>(encoded.codec, &longer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{codec:?}");
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped<T>(T);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sparse {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u8>,
    second: Option<u8>,
}

/// Either it comes back, or it is refused when it is encoded.
fn never_comes_back_as_another<T>(value: T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    for codec in codecs() {
        match codec.encode(&value) {
            Ok(encoded) => {
                let decoded: T = decode(encoded.codec, &encoded.bytes).unwrap();
                assert_eq!(decoded, value, "{codec:?}");
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Encode),
        }
    }
}

#[test]
fn value_that_would_come_back_as_another_is_refused() {
    never_comes_back_as_another(Some(None::<u8>));
    never_comes_back_as_another(Some(Some(None::<u8>)));
    never_comes_back_as_another(Some(()));
    never_comes_back_as_another(Some(Unit));
    never_comes_back_as_another(Some(Wrapped(None::<u8>)));
    never_comes_back_as_another(vec![(1, Some(Some(None::<u8>)))]);
    never_comes_back_as_another(Some(f64::INFINITY));
    never_comes_back_as_another(vec![f32::NEG_INFINITY]);
    never_comes_back_as_another(Sparse { first: None, second: Some(1) });
    never_comes_back_as_another(Sparse { first: Some(2), second: None });
    never_comes_back_as_another(vec![(); 100_000]);
    never_comes_back_as_another(vec![(); 1_000]);
}

#[test]
fn what_only_looks_like_a_hidden_none_is_taken() {
    comes_back(Some(vec![None::<u8>]));
    comes_back(Some((None::<u8>, ())));
    comes_back(vec![Some(Wrapped(Some(1))), None]);
    comes_back(Some(Ok::<Option<u8>, ()>(None)));
}

#[test]
fn refusal_says_why() {
    for (codec, why) in [(Codec::MessagePack, "within `Some`"), (Codec::Json, "within `Some`")] {
        if codecs().contains(&codec) {
            let error = codec.encode(&Some(None::<u8>)).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
    if codecs().contains(&Codec::Bincode) {
        let error = Codec::Bincode.encode(&Sparse { first: None, second: None }).unwrap_err();
        assert!(error.to_string().contains("skip_serializing_if"), "{error}");
    }
}

#[test]
fn messages_never_tell_the_value() {
    for codec in codecs() {
        let encoded = codec.encode(&("hunter2", BTreeMap::from([("hunter2", "hunter2")]))).unwrap();
        let errors = [
            decode::<(u8, u8)>(encoded.codec, &encoded.bytes).unwrap_err(),
            decode::<(Shape, u8)>(encoded.codec, &encoded.bytes).unwrap_err(),
            decode::<Product>(encoded.codec, &encoded.bytes).unwrap_err(),
            decode::<(String, After)>(encoded.codec, &encoded.bytes).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Decode);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}

/// Serializes as bytes, not as a sequence, the way `serde_bytes` does.
#[derive(Debug, PartialEq)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Blob;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Blob, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(Blob(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Bytes(Vec<u8>),
    Text(String),
}

#[test]
fn runs_of_bytes_come_back_whatever_they_are_held_in() {
    let bytes: Vec<u8> = (0..=255).collect();
    comes_back(Vec::<u8>::new());
    comes_back(bytes.clone());
    comes_back(Some(bytes.clone()));
    comes_back(Some(Some(bytes.clone())));
    comes_back(bytes.clone().into_boxed_slice());
    comes_back(VecDeque::from(bytes.clone()));
    comes_back(Wrapped(bytes.clone()));
    comes_back(Wrapped(Some(Wrapped(bytes.clone()))));
    comes_back(Blob(bytes.clone()));
    comes_back(Blob(Vec::new()));
    comes_back(Some(Blob(bytes.clone())));
    comes_back([7_u8; 32]);
    comes_back(vec![Some(1_u8), Some(2)]);
    comes_back(vec![Wrapped(1_u8), Wrapped(2)]);
    comes_back(vec![bytes.clone(), Vec::new()]);
    comes_back(BTreeMap::from([(1_u8, bytes.clone())]));
    comes_back(std::collections::BTreeSet::from([3_u8, 1]));
    for codec in codecs().into_iter().filter(|codec| *codec != Codec::Bincode) {
        comes_back_by(codec, &Either::Bytes(bytes.clone()));
        comes_back_by(codec, &Either::Text("text".to_owned()));
        comes_back_by(codec, &vec![Either::Bytes(bytes.clone())]);
    }
}

#[cfg(feature = "msgpack")]
#[test]
fn run_of_bytes_is_stored_as_it_is() {
    let bytes: Vec<u8> = (0..=255).collect();
    for encoded in [
        Codec::MessagePack.encode(&bytes).unwrap(),
        Codec::MessagePack.encode(&bytes[..]).unwrap(),
        Codec::MessagePack.encode(&Some(&bytes)).unwrap(),
        Codec::MessagePack.encode(&Wrapped(&bytes)).unwrap(),
    ] {
        assert_eq!((encoded.codec, &encoded.bytes[..]), (CodecId::BYTES, &bytes[..]));
    }
    let other = Codec::MessagePack.encode(&vec![1_u16, 2]).unwrap();
    assert_eq!(other.codec, CodecId::MESSAGE_PACK);
}

#[test]
fn counter_is_read_as_any_integer_it_fits_in() {
    let counter = |value: i64| Record::counter(Header::new(Moment::NEVER), value).unwrap();
    assert_eq!(unseal::<i64>(&counter(-5)).unwrap().1, -5);
    assert_eq!(unseal::<u64>(&counter(i64::MAX)).unwrap().1, i64::MAX.unsigned_abs());
    assert_eq!(unseal::<u8>(&counter(255)).unwrap().1, 255);
    assert_eq!(unseal::<i128>(&counter(-1)).unwrap().1, -1);
    assert_eq!(unseal::<Option<Wrapped<i32>>>(&counter(1)).unwrap().1, Some(Wrapped(1)));
    for (value, kind) in [
        (256, unseal::<u8>(&counter(256)).unwrap_err().kind()),
        (-1, unseal::<u64>(&counter(-1)).unwrap_err().kind()),
        (1, unseal::<String>(&counter(1)).unwrap_err().kind()),
    ] {
        assert_eq!(kind, ErrorKind::Decode, "{value}");
    }
}

#[test]
fn sealed_record_says_what_it_was_made_by() {
    let codec = Codec::default();
    let long = "long ".repeat(1000);
    for compression in compressions() {
        let compression = Compression::new(compression.compressor);
        let seal = |text| seal(&Header::new(Moment::NEVER), text, codec, compression).unwrap();
        let (header, _) = seal(&long).open().unwrap();
        assert_eq!(header.codec, codec.id());
        assert_eq!(header.compressor, compression.compressor.id());
        let (header, _) = seal(&"short".to_owned()).open().unwrap();
        assert_eq!(header.compressor, CompressorId::NONE);
    }
}
