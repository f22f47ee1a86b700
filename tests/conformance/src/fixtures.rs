//! The records that cases save: the one place that knows how they are made.

use bytes::Bytes;
use keyedcache::Moment;
use keyedcache::record::{Header, Record};

/// When the records were made: long ago, so that no case passes by the time in their headers.
const CREATED: Moment = Moment::from_micros(1_000_000);

/// A record with a new id and this payload.
pub(crate) fn record(payload: &[u8]) -> Record {
    Record::new(&Header::new(CREATED), payload).expect("the payload is small")
}

/// A record with a new id that is `bytes` long in all.
pub(crate) fn record_of_size(bytes: usize) -> Record {
    let header = record(b"").bytes().len();
    record(&vec![b'x'; bytes.checked_sub(header).expect("records are longer than their header")])
}

/// A record with a new id that counts `count`.
pub(crate) fn counter(count: i64) -> Record {
    Record::counter(Header::new(CREATED), count).expect("a number is small")
}

/// Bytes that are no record at all, but must be kept like one.
pub(crate) fn rubbish(bytes: &[u8]) -> Record {
    Record::from_bytes(Bytes::copy_from_slice(bytes))
}
