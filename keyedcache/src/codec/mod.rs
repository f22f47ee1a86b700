//! Codecs: values ⇄ bytes.
//!
//! A record is decoded by the codec its header names, whatever the cache's codec is now, so the
//! codec of a live cache can be changed. Invariants: a value that its codec could not give back as it
//! was is refused when it is encoded (`faithful`), and no bytes make decoding panic, overflow the
//! stack, or reserve more than they justify (`bounded`).

#[cfg(feature = "bincode")]
mod bincode;
mod bounded;
#[cfg(any(feature = "msgpack", feature = "json", feature = "bincode"))]
mod faithful;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
mod plain;
mod reason;
#[cfg(feature = "msgpack")]
mod run;
mod value;

use std::any::type_name;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::reason::Reason;
use crate::error::{Error, ErrorKind};
use crate::record::CodecId;

pub(crate) use value::{Coding, decode_coded};
pub use value::{decode_payload, seal, unseal};

/// Turns values into bytes.
///
/// Every codec is here whatever the features; one whose feature is off says so when it is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Codec {
    /// `MessagePack` with named fields, feature `msgpack`: compact, and reads what was stored before
    /// a field with a default was added. A run of bytes is stored as it is.
    MessagePack,
    /// JSON, feature `json`: readable in a store's own tools.
    Json,
    /// bincode 2, feature `bincode`: the smallest. It cannot notice that a struct has changed; give a
    /// function whose answer's fields change another `version`.
    Bincode,
}

/// A value in bytes, and what they are decoded by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoded {
    /// What decodes them.
    pub codec: CodecId,
    /// The bytes.
    pub bytes: Bytes,
}

impl Codec {
    /// The id that records name it by.
    #[must_use]
    pub const fn id(self) -> CodecId {
        match self {
            Self::MessagePack => CodecId::MESSAGE_PACK,
            Self::Json => CodecId::JSON,
            Self::Bincode => CodecId::BINCODE,
        }
    }

    /// Turns a value into bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] of a value that this codec could not give back as it is, such as
    /// `Some(None)` in JSON, or a field left out in bincode; [`ErrorKind::Unsupported`] if its
    /// feature is off.
    ///
    /// ```
    /// # #[cfg(feature = "msgpack")] {
    /// use keyedcache::codec::{self, Codec};
    ///
    /// let encoded = Codec::MessagePack.encode(&(1, "one"))?;
    /// let value: (u8, String) = codec::decode(encoded.codec, &encoded.bytes)?;
    /// assert_eq!(value, (1, "one".to_owned()));
    /// # }
    /// # Ok::<(), keyedcache::Error>(())
    /// ```
    pub fn encode<T: Serialize + ?Sized>(self, value: &T) -> Result<Encoded, Error> {
        #[cfg(feature = "msgpack")]
        if self == Self::MessagePack
            && let Some(bytes) = run::bytes_of(value)
        {
            return Ok(Encoded { codec: CodecId::BYTES, bytes: bytes.into() });
        }
        match self.write(value) {
            Some(Ok(bytes)) => Ok(Encoded { codec: self.id(), bytes: bytes.into() }),
            Some(Err(reason)) => Err(Error::new(ErrorKind::Encode, "encode", reason)
                .with("codec", name(self.id()))
                .with("type", type_name::<T>())),
            None => Err(feature_off(ErrorKind::Unsupported, "encode", self.id())),
        }
    }

    /// The value by this codec; `None` if its feature is off.
    #[cfg_attr(
        not(any(feature = "msgpack", feature = "json", feature = "bincode")),
        allow(unused_variables)
    )]
    fn write<T: Serialize + ?Sized>(self, value: &T) -> Option<Result<Vec<u8>, Reason>> {
        match self {
            #[cfg(feature = "msgpack")]
            Self::MessagePack => Some(msgpack::encode(value)),
            #[cfg(feature = "json")]
            Self::Json => Some(json::encode(value)),
            #[cfg(feature = "bincode")]
            Self::Bincode => Some(bincode::encode(value)),
            #[allow(unreachable_patterns)] // with all features
            _ => None,
        }
    }
}

impl Default for Codec {
    /// The first whose feature is on: `MessagePack`, JSON, bincode.
    fn default() -> Self {
        if cfg!(feature = "msgpack") || !cfg!(any(feature = "json", feature = "bincode")) {
            Self::MessagePack
        } else if cfg!(feature = "json") {
            Self::Json
        } else {
            Self::Bincode
        }
    }
}

/// Turns bytes back into a value, by the codec that a record names.
///
/// Of `Vec<u8>`, `Bytes` and their like that were stored as they are, costs one copy or none.
///
/// # Errors
///
/// [`ErrorKind::Decode`] of bytes that are not a whole `T`, of an unknown codec, and of one whose
/// feature is off. Says what was expected, never what was found: that would be a value.
pub fn decode<T: DeserializeOwned + 'static>(codec: CodecId, bytes: &Bytes) -> Result<T, Error> {
    let decoded = match codec {
        CodecId::BYTES => plain::value_of_bytes(bytes),
        CodecId::COUNTER => plain::value_of_integer(bytes),
        #[cfg(feature = "msgpack")]
        CodecId::MESSAGE_PACK => msgpack::decode(bytes),
        #[cfg(feature = "json")]
        CodecId::JSON => json::decode(bytes),
        #[cfg(feature = "bincode")]
        CodecId::BINCODE => bincode::decode(bytes),
        _ => return Err(feature_off(ErrorKind::Decode, "decode", codec)),
    };
    decoded.map_err(|reason| {
        Error::new(ErrorKind::Decode, "decode", reason)
            .with("codec", name(codec))
            .with("type", type_name::<T>())
    })
}

/// What a codec is called in messages and settings, and its feature if it has one.
fn name(codec: CodecId) -> &'static str {
    match codec {
        CodecId::COUNTER => "counter",
        CodecId::BYTES => "bytes",
        CodecId::MESSAGE_PACK => "msgpack",
        CodecId::JSON => "json",
        CodecId::BINCODE => "bincode",
        CodecId(_) => "unknown",
    }
}

#[cold]
fn feature_off(kind: ErrorKind, operation: &'static str, codec: CodecId) -> Error {
    let name = name(codec);
    if name == "unknown" {
        return Error::new(kind, operation, "the codec is unknown").with("codec id", codec.0);
    }
    let message =
        format!("{name} needs the feature `{name}` of keyedcache, which this build lacks");
    Error::new(kind, operation, message)
}

#[cfg(test)]
mod tests;
