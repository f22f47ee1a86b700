//! Arbitrary records touched and incremented, the two things a store does to them.
#![no_main]

use std::time::Duration;

use keyedcache::record::{CodecId, CompressorId, Life};
use keyedcache::{ErrorKind, Moment};
use keyedcache_fuzz::plausible;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, Option<u64>, i64, &[u8])| {
    let (created, fresh_for, by, bytes) = input;
    let record = plausible(bytes);
    let opened = record.open();

    let created = Moment::from_micros(created);
    let fresh_for = fresh_for.map(Duration::from_micros);
    let touched = record.touched(Life { created, fresh_for, ttl: fresh_for });
    match (&opened, touched) {
        (Ok((header, payload)), Ok(touched)) => {
            let (new, same) = touched.open().expect("a touched record is whole");
            assert_eq!((new.id, &new.tags, &new.stamp), (header.id, &header.tags, &header.stamp));
            assert_eq!((new.created, &same), (created, payload));
        }
        (Err(_), _) | (_, Err(_)) => {}
    }

    match record.incremented(by) {
        Ok(more) => {
            let (header, _) = opened.expect("only what is whole is incremented");
            assert_eq!((header.codec, header.compressor), (CodecId::COUNTER, CompressorId::NONE));
            let before = record.counter_value().expect("it was a counter");
            assert_eq!(more.counter_value().expect("it still is"), before + by);
            assert_eq!(more.open().expect("it is whole").0, header);
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::NotACounter | ErrorKind::Decode));
        }
    }
});
