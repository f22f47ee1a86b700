//! The records that cases save: the one place that knows how they are made.

use bytes::Bytes;
use keyedcache::record::{Record, RecordId};

/// Where the payload of a record begins.
const HEADER: usize = 84;

/// A record with a new id and this payload.
pub(crate) fn record(payload: &[u8]) -> Record {
    let mut bytes = vec![0; HEADER];
    bytes[4..20].copy_from_slice(&RecordId::random().0);
    bytes.extend_from_slice(payload);
    Record::from_bytes(Bytes::from(bytes))
}

/// A record with a new id that is `bytes` long in all.
pub(crate) fn record_of_size(bytes: usize) -> Record {
    record(&vec![b'x'; bytes.checked_sub(HEADER).expect("records are longer than their header")])
}

/// A record with a new id that counts `count`.
pub(crate) fn counter(count: i64) -> Record {
    record(count.to_string().as_bytes())
}

/// Bytes that are no record at all, but must be kept like one.
pub(crate) fn rubbish(bytes: &[u8]) -> Record {
    Record::from_bytes(Bytes::copy_from_slice(bytes))
}
