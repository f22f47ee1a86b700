//! Compressors: encoded bytes ⇄ fewer bytes.
//!
//! A compressed payload is the length of what it holds, four bytes little endian, and then the
//! compressor's own stream. Invariants: what did not get smaller is kept as it was, and nothing is
//! ever unpacked to more than [`MAX_PAYLOAD`], nor room reserved that so few bytes cannot fill.

#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "zstd")]
mod zstd;

use bytes::Bytes;

use crate::error::{Error, ErrorKind};
use crate::record::{CompressorId, MAX_PAYLOAD};

/// Makes payloads smaller.
///
/// Every compressor is here whatever the features; one whose feature is off says so when it is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Compressor {
    /// Leaves them as they are. The default.
    #[default]
    None,
    /// zstd, feature `zstd`: small and fairly fast.
    Zstd {
        /// From 1 (fast) to 22 (small); below 1 faster still.
        level: i32,
    },
    /// lz4, feature `lz4`: fast and fairly small.
    Lz4,
}

impl Compressor {
    /// zstd at the level it uses by itself, 3.
    pub const ZSTD: Self = Self::Zstd { level: 3 };

    /// The id that records name it by.
    #[must_use]
    pub const fn id(self) -> CompressorId {
        match self {
            Self::None => CompressorId::NONE,
            Self::Zstd { .. } => CompressorId::ZSTD,
            Self::Lz4 => CompressorId::LZ4,
        }
    }
}

/// Which payloads are compressed, and by what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Compression {
    /// By what; default: nothing.
    pub compressor: Compressor,
    /// Payloads with fewer bytes are left as they are; default 1,024.
    pub min_size: usize,
}

impl Compression {
    /// Compresses payloads of 1,024 bytes and more.
    ///
    /// ```
    /// use keyedcache::compress::{Compression, Compressor};
    ///
    /// let compression = Compression::new(Compressor::Lz4).with_min_size(4096);
    /// assert_eq!(compression.min_size, 4096);
    /// ```
    #[must_use]
    pub const fn new(compressor: Compressor) -> Self {
        Self { compressor, min_size: 1024 }
    }

    /// Leaves payloads with fewer than `bytes` bytes as they are.
    #[must_use]
    pub const fn with_min_size(mut self, bytes: usize) -> Self {
        self.min_size = bytes;
        self
    }

    /// The payload for these encoded bytes, and what it was compressed by.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] above [`MAX_PAYLOAD`], however small they would get;
    /// [`ErrorKind::Unsupported`] if the compressor's feature is off.
    pub fn apply(self, encoded: Bytes) -> Result<(CompressorId, Bytes), Error> {
        let too_large = || {
            Error::new(ErrorKind::TooLarge, "compress", "the value is too long")
                .with("bytes", encoded.len())
        };
        if encoded.len() > MAX_PAYLOAD {
            return Err(too_large());
        }
        if self.compressor == Compressor::None || encoded.len() < self.min_size {
            return Ok((CompressorId::NONE, encoded));
        }
        let length = u32::try_from(encoded.len()).map_err(|_| too_large())?;
        let mut packed = length.to_le_bytes().to_vec();
        packed.extend_from_slice(&self.compressor.pack(&encoded)?);
        Ok(if packed.len() < encoded.len() {
            (self.compressor.id(), packed.into())
        } else {
            (CompressorId::NONE, encoded)
        })
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::new(Compressor::None)
    }
}

impl Compressor {
    #[cfg_attr(not(any(feature = "zstd", feature = "lz4")), allow(unused_variables))]
    fn pack(self, plain: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            #[cfg(feature = "zstd")]
            Self::Zstd { level } => zstd::pack(plain, level),
            #[cfg(feature = "lz4")]
            Self::Lz4 => Ok(lz4::pack(plain)),
            _ => Err(feature_off(ErrorKind::Unsupported, "compress", self.id())),
        }
    }
}

/// Undoes the compressor that a record names. Without one the payload is returned as it is.
///
/// # Errors
///
/// [`ErrorKind::Decode`] of what the compressor did not make, of more than [`MAX_PAYLOAD`], of an
/// unknown compressor, and of one whose feature is off.
pub fn decompress(compressor: CompressorId, payload: Bytes) -> Result<Bytes, Error> {
    if compressor == CompressorId::NONE {
        return Ok(payload);
    }
    let unpack = unpacking(compressor)?;
    let Some((length, packed)) = payload.split_first_chunk() else {
        return Err(undecodable("the payload is cut off"));
    };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_PAYLOAD || length > packed.len().saturating_mul(unpack.most_a_byte) {
        return Err(undecodable("the payload says it holds more than it can"));
    }
    let plain = (unpack.with)(packed, length)?;
    if plain.len() != length {
        return Err(undecodable("the payload holds less than it says"));
    }
    Ok(plain.into())
}

/// How a compressor is undone.
struct Unpacking {
    /// Unpacks to at most so many bytes, or fails.
    with: fn(&[u8], usize) -> Result<Vec<u8>, Error>,
    /// The most bytes that one compressed byte can stand for.
    most_a_byte: usize,
}

fn unpacking(compressor: CompressorId) -> Result<Unpacking, Error> {
    match compressor {
        // A block of at least four bytes holds at most 128 KiB (RFC 8878, 3.1.1.2).
        #[cfg(feature = "zstd")]
        CompressorId::ZSTD => Ok(Unpacking { with: zstd::unpack, most_a_byte: 32 << 10 }),
        // A match grows by at most 255 for each byte of its length.
        #[cfg(feature = "lz4")]
        CompressorId::LZ4 => Ok(Unpacking { with: lz4::unpack, most_a_byte: 255 }),
        _ => Err(feature_off(ErrorKind::Decode, "decompress", compressor)),
    }
}

fn feature_off(kind: ErrorKind, operation: &'static str, compressor: CompressorId) -> Error {
    let name = match compressor {
        CompressorId::ZSTD => "zstd",
        CompressorId::LZ4 => "lz4",
        CompressorId(unknown) => {
            return Error::new(kind, operation, "the compressor is unknown")
                .with("compressor id", unknown);
        }
    };
    let message =
        format!("{name} needs the feature `{name}` of keyedcache, which this build lacks");
    Error::new(kind, operation, message)
}

#[cold]
fn undecodable(message: &'static str) -> Error {
    Error::new(ErrorKind::Decode, "decompress", message)
}

#[cfg(test)]
mod tests;
