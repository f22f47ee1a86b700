//! Arbitrary bytes as a record: opened, decompressed, decoded by every codec as many types.
#![no_main]

use bytes::Bytes;
use keyedcache::codec::unseal;
use keyedcache::compress::decompress;
use keyedcache::record::{CodecId, MAX_PAYLOAD, Record};
use keyedcache_fuzz::{decode_as_everything, plausible};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = unseal::<String>(&Record::from_bytes(Bytes::copy_from_slice(bytes)));

    let record = plausible(bytes);
    if let Ok((header, payload)) = record.open() {
        let again = Record::new(&header, &payload).expect("what was read can be written");
        assert_eq!(again, record, "a record is read and written alike");
        if let Ok(encoded) = decompress(header.compressor, payload) {
            assert!(encoded.len() <= MAX_PAYLOAD);
            if encoded.len() <= 4096 {
                decode_as_everything(header.codec, &encoded);
            }
        }
    }

    // Straight to the codecs, so that not every input needs a header.
    if let Some((codec, encoded)) = bytes.split_first() {
        decode_as_everything(CodecId(codec % 8), &Bytes::copy_from_slice(encoded));
    }
});
