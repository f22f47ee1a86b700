//! The way from a value to a record and back: codec, compressor, header, one after another.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, Codec, plain};
use crate::compress::{self, Compression};
use crate::error::Error;
use crate::record::{CodecId, CompressorId, Header, Record};

/// The record of a value: `header`, with the codec and compressor that were used, and the payload.
///
/// # Errors
///
/// [`ErrorKind::Encode`](crate::ErrorKind::Encode) if the codec cannot encode it,
/// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) if it is longer than 64 MiB, and
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if a feature is off.
///
/// ```
/// # #[cfg(feature = "msgpack")] {
/// use keyedcache::codec::{Codec, seal, unseal};
/// use keyedcache::compress::Compression;
/// use keyedcache::record::Header;
/// use keyedcache::{Clock, Moment};
///
/// let header = Header::new(Clock::system().now());
/// let record = seal(&header, "value", Codec::MessagePack, Compression::default())?;
/// let (read, value) = unseal::<String>(&record)?;
/// assert_eq!((read.id, value), (header.id, "value".to_owned()));
/// # }
/// # Ok::<(), keyedcache::Error>(())
/// ```
pub fn seal<T: Serialize + ?Sized>(
    header: &Header,
    value: &T,
    codec: Codec,
    compression: Compression,
) -> Result<Record, Error> {
    let encoded = codec.encode(value)?;
    let (compressor, payload) = compression.apply(encoded.bytes)?;
    Record::of_payload(header, encoded.codec, compressor, &payload)
}

/// The value in the payload of an [opened](Record::open) record.
///
/// # Errors
///
/// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if it does not read back whole as a `T`.
pub fn decode_payload<T: DeserializeOwned + 'static>(
    header: &Header,
    payload: &Bytes,
) -> Result<T, Error> {
    let coding = Coding { codec: header.codec, compressor: header.compressor };
    decode_coded(coding, payload)
}

/// What a payload has been through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Coding {
    pub(crate) codec: CodecId,
    pub(crate) compressor: CompressorId,
}

impl Coding {
    /// The value in this payload, if reading it takes no more than copying bytes: what is so may be
    /// read where it stands, since none of its type's own code is run.
    pub(crate) fn copied<T: 'static>(self, payload: &[u8]) -> Option<T> {
        let plain = Self { codec: CodecId::BYTES, compressor: CompressorId::NONE };
        if self == plain { plain::copied(payload) } else { None }
    }
}

/// As [`decode_payload`].
pub(crate) fn decode_coded<T: DeserializeOwned + 'static>(
    coding: Coding,
    payload: &Bytes,
) -> Result<T, Error> {
    if coding.compressor == CompressorId::NONE {
        return codec::decode(coding.codec, payload);
    }
    let encoded = compress::decompress(coding.compressor, payload.clone())?;
    codec::decode(coding.codec, &encoded)
}

/// The header and the value of a record.
///
/// # Errors
///
/// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if anything of it does not read back whole.
pub fn unseal<T: DeserializeOwned + 'static>(record: &Record) -> Result<(Header, T), Error> {
    let (header, payload) = record.open()?;
    let value = decode_payload(&header, &payload)?;
    Ok((header, value))
}
