//! lz4 blocks, through `lz4_flex` and its safe code.

use crate::compress::undecodable;
use crate::error::Error;

pub(super) fn pack(plain: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress(plain)
}

pub(super) fn unpack(packed: &[u8], at_most: usize) -> Result<Vec<u8>, Error> {
    let mut plain = vec![0; at_most];
    let length = lz4_flex::block::decompress_into(packed, &mut plain)
        .map_err(|error| undecodable("the payload is not what lz4 makes").with_source(error))?;
    plain.truncate(length);
    Ok(plain)
}
