//! How a record stands in Redis: as its bytes, or, of a counter, as its number and its header apart, so
//! that `redis-cli` shows a number and the server can add to it.

use bytes::Bytes;

use crate::record::{CodecId, Record, integer};
use crate::store::{LeaseToken, Slot};

/// What stands in a lease's place when its holder's answer is not to be stored.
const DECLINED: &[u8] = b"declined";

/// Where a record says which codec wrote it.
const CODEC: usize = 20;

/// What is stored of a record: its text, and the header of a counter.
pub(super) fn taken_apart(record: &Record) -> (Bytes, Option<Bytes>) {
    let whole = || (record.bytes().clone(), None);
    if record.bytes().get(CODEC) != Some(&CodecId::COUNTER.0) || record.counter_value().is_err() {
        return whole();
    }
    let Ok((header, number)) = record.open() else { return whole() };
    match Record::new(&header, b"") {
        Ok(head) => (number, Some(head.bytes().clone())),
        Err(_) => whole(),
    }
}

/// Whether the text alone does not tell the record: it may be a counter's.
pub(super) fn is_number(text: &[u8]) -> bool {
    text.len() <= 20 && integer(text).is_some()
}

/// The record that is stored so. A number without a counter's header is kept as it is: a record that
/// nobody can read.
pub(super) fn put_together(text: Bytes, head: Option<&Bytes>) -> Record {
    let counter = || {
        let value = integer(&text).filter(|_| text.len() <= 20)?;
        let (header, rest) = Record::from_bytes(head?.clone()).open().ok()?;
        let is_header = header.codec == CodecId::COUNTER && rest.is_empty();
        Record::counter(header, value).ok().filter(|_| is_header)
    };
    counter().unwrap_or_else(|| Record::from_bytes(text))
}

/// What stands under a key.
pub(super) fn slot(text: Option<Bytes>, head: Option<&Bytes>, lease: Option<&Bytes>) -> Slot {
    let token = lease.and_then(|lease| token(lease));
    Slot {
        record: text.map(|text| put_together(text, head)),
        lease: token,
        declined: lease.is_some_and(|lease| **lease == *DECLINED),
    }
}

/// The token of a lease.
pub(super) fn token(lease: &[u8]) -> Option<LeaseToken> {
    lease.try_into().ok().map(LeaseToken::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moment;
    use crate::record::Header;

    #[test]
    fn counter_stands_as_its_number() {
        for value in [0, -1, i64::MAX, i64::MIN] {
            let counter = Record::counter(Header::new(Moment::from_micros(7)), value).unwrap();
            let (text, head) = taken_apart(&counter);
            assert_eq!(text, value.to_string());
            assert!(is_number(&text));
            assert_eq!(put_together(text, head.as_ref()), counter);
        }
    }

    #[test]
    fn other_records_stand_as_they_are() {
        let record = Record::new(&Header::new(Moment::from_micros(7)), b"5").unwrap();
        let damaged = {
            let counter = Record::counter(Header::new(Moment::from_micros(7)), 7).unwrap();
            let mut bytes = counter.bytes().to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            Record::from_bytes(bytes.into())
        };
        for record in [record, damaged, Record::from_bytes(Bytes::from_static(b"12"))] {
            let (text, head) = taken_apart(&record);
            assert_eq!((&text, &head), (record.bytes(), &None));
            assert_eq!(put_together(text, head.as_ref()), record);
        }
    }

    #[test]
    fn number_with_no_counters_header_is_nobodys_record() {
        let text = Bytes::from_static(b"5");
        let other = Record::new(&Header::new(Moment::from_micros(7)), b"").unwrap();
        for head in [None, Some(Bytes::from_static(b"x")), Some(other.bytes().clone())] {
            assert_eq!(put_together(text.clone(), head.as_ref()).bytes(), &text);
        }
    }
}
