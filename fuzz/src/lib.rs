//! What the fuzz targets share: records of fuzzed bytes, and types to decode them as.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use keyedcache::ErrorKind;
use keyedcache::codec;
use keyedcache::record::{CodecId, Record};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// A record whose magic, version, flags and checksum are right and whose rest is fuzzed, so that
/// the fuzzer gets past them.
#[must_use]
pub fn plausible(bytes: &[u8]) -> Record {
    let mut body = bytes.to_vec();
    body.resize(body.len().max(80), 0);
    body[..4].copy_from_slice(b"\x8ekc\x01");
    body[22..24].fill(0);
    let length = body.len() - 80;
    let around = usize::from(u16::from_le_bytes([body[76], body[77]])) * 48;
    // With few scopes and no tags, the payload is what is left.
    if body[79] & 1 == 0 {
        body[78..80].fill(0);
        if around <= length {
            let payload = u32::try_from(length - around).expect("fuzzed inputs are short");
            body[72..76].copy_from_slice(&payload.to_le_bytes());
        }
    }
    let checksum = xxh3_64(&body).to_le_bytes();
    body.extend_from_slice(&checksum);
    Record::from_bytes(body.into())
}

/// Decodes bytes by a codec as one type after another; every failure is an ordinary one.
pub fn decode_as_everything(codec: CodecId, bytes: &Bytes) {
    decode_as::<(bool, char, f32, f64, i128, u128)>(codec, bytes);
    decode_as::<i64>(codec, bytes);
    decode_as::<String>(codec, bytes);
    decode_as::<Vec<u8>>(codec, bytes);
    decode_as::<Option<Option<Vec<String>>>>(codec, bytes);
    decode_as::<Vec<()>>(codec, bytes);
    decode_as::<HashSet<u16>>(codec, bytes);
    decode_as::<HashMap<u64, Vec<f32>>>(codec, bytes);
    decode_as::<Product>(codec, bytes);
    decode_as::<Chain>(codec, bytes);
    decode_as::<Tree>(codec, bytes);
    decode_as::<Peano>(codec, bytes);
    decode_as::<Loose>(codec, bytes);
}

fn decode_as<T: Serialize + for<'de> Deserialize<'de> + 'static>(codec: CodecId, bytes: &Bytes) {
    match codec::decode::<T>(codec, bytes) {
        Ok(value) => encode_again(codec, &value),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Decode),
    }
}

/// What was decoded can be encoded, if not refused, and decoded again.
fn encode_again<T>(codec: CodecId, value: &T)
where
    T: Serialize + for<'de> Deserialize<'de> + 'static,
{
    let known = [codec::Codec::MessagePack, codec::Codec::Json, codec::Codec::Bincode];
    let Some(codec) = known.into_iter().find(|known| known.id() == codec) else { return };
    if let Ok(encoded) = codec.encode(value) {
        codec::decode::<T>(encoded.codec, &encoded.bytes).expect("what was encoded is decoded");
    }
}

/// An ordinary answer.
#[derive(Serialize, Deserialize)]
struct Product {
    id: u64,
    name: String,
    price: Option<f64>,
    #[serde(default)]
    tags: BTreeMap<String, Vec<u32>>,
    kind: Kind,
}

#[derive(Serialize, Deserialize)]
enum Kind {
    Plain,
    Sized(u8, i16),
    Made { by: Option<Box<Product>>, blob: Vec<u8> },
    Other(Box<Kind>),
}

/// Goes down without a container.
#[derive(Serialize, Deserialize)]
enum Chain {
    End,
    Link(Box<Chain>),
}

/// Goes down and wide.
#[derive(Serialize, Deserialize)]
struct Tree(Vec<Tree>);

/// Goes down without consuming anything.
#[derive(Serialize, Deserialize)]
struct Peano(Option<Box<Peano>>);

/// Looks at what comes.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Loose {
    Number(i64),
    Float(f64),
    Text(String),
    Nothing(Option<()>),
    List(Vec<Loose>),
    Map(BTreeMap<String, Loose>),
}
