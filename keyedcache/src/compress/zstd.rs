//! zstd, through `zstd`.

use std::cell::RefCell;

use ::zstd::bulk::Decompressor;

use crate::compress::undecodable;
use crate::error::{Error, ErrorKind};

thread_local! {
    /// Making one costs several times what unpacking a few kilobytes does. About 100 kB a thread
    /// that reads compressed records.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

pub(super) fn pack(plain: &[u8], level: i32) -> Result<Vec<u8>, Error> {
    ::zstd::bulk::compress(plain, level).map_err(|error| {
        Error::new(ErrorKind::Encode, "compress", "zstd failed").with_source(error)
    })
}

pub(super) fn unpack(packed: &[u8], at_most: usize) -> Result<Vec<u8>, Error> {
    let unpack = |decompressor: &mut Option<Decompressor<'static>>| {
        let decompressor = match decompressor {
            Some(ready) => ready,
            None => decompressor.insert(Decompressor::new()?),
        };
        decompressor.decompress(packed, at_most)
    };
    // A thread that is about to end has none any more.
    let unpacked = DECOMPRESSOR
        .try_with(|decompressor| unpack(&mut decompressor.borrow_mut()))
        .unwrap_or_else(|_| unpack(&mut None));
    unpacked.map_err(|error| undecodable("the payload is not what zstd makes").with_source(error))
}
