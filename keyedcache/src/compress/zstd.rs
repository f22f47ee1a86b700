//! zstd, through `zstd`.

use crate::compress::undecodable;
use crate::error::{Error, ErrorKind};

pub(super) fn pack(plain: &[u8], level: i32) -> Result<Vec<u8>, Error> {
    ::zstd::bulk::compress(plain, level).map_err(|error| {
        Error::new(ErrorKind::Encode, "compress", "zstd failed").with_source(error)
    })
}

pub(super) fn unpack(packed: &[u8], at_most: usize) -> Result<Vec<u8>, Error> {
    ::zstd::bulk::decompress(packed, at_most)
        .map_err(|error| undecodable("the payload is not what zstd makes").with_source(error))
}
