//! Counters: records whose payload is one integer as decimal text, which stores can add to.

use bytes::Bytes;

use crate::error::{Error, ErrorKind};
use crate::record::{CodecId, CompressorId, Header, Record};

impl Record {
    /// The record of a counter: `header` with the codec and compressor of counters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] as of [`Record::new`].
    pub fn counter(mut header: Header, value: i64) -> Result<Self, Error> {
        header.codec = CodecId::COUNTER;
        header.compressor = CompressorId::NONE;
        Self::new(&header, value.to_string().as_bytes())
    }

    /// The value of a counter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotACounter`] of any other record; [`ErrorKind::Decode`] of what is none.
    pub fn counter_value(&self) -> Result<i64, Error> {
        let (header, payload) = self.open()?;
        count(&header, &payload)
    }

    /// The same counter with `by` added: its id, its life and all else stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotACounter`] if it is none, or the sum does not fit in an `i64`;
    /// [`ErrorKind::Decode`] of what is no whole record.
    pub fn incremented(&self, by: i64) -> Result<Self, Error> {
        let (header, payload) = self.open()?;
        let sum = count(&header, &payload)?
            .checked_add(by)
            .ok_or_else(|| not_a_counter("the sum does not fit in 64 bits"))?;
        Self::new(&header, sum.to_string().as_bytes())
    }
}

/// The integer that stands in the payload of a counter.
fn count(header: &Header, payload: &Bytes) -> Result<i64, Error> {
    if header.codec != CodecId::COUNTER || header.compressor != CompressorId::NONE {
        return Err(not_a_counter("what is stored is not a counter"));
    }
    integer(payload).ok_or_else(|| not_a_counter("the counter does not hold an integer"))
}

/// The integer written in `text` exactly as this crate writes it: no plus sign, no zeros before.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: i64 = text.parse().ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => text == "0",
        [first, ..] => matches!(first, b'1'..=b'9'),
        [] => false,
    };
    canonical.then_some(value)
}

fn not_a_counter(message: &'static str) -> Error {
    Error::new(ErrorKind::NotACounter, "count", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moment;

    fn header() -> Header {
        Header::new(Moment::from_micros(7))
    }

    #[test]
    fn incremented_counter_keeps_its_id_and_header() {
        let counter = Record::counter(header(), -3).unwrap();
        let more = counter.incremented(10).unwrap();

        assert_eq!(more.counter_value().unwrap(), 7);
        assert_eq!(more.id(), counter.id());
        assert_eq!(more.open().unwrap().0, counter.open().unwrap().0);
    }

    #[test]
    fn sum_that_does_not_fit_is_refused() {
        for (value, by) in [(i64::MAX, 1), (i64::MIN, -1)] {
            let error = Record::counter(header(), value).unwrap().incremented(by).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotACounter);
        }
        let counter = Record::counter(header(), i64::MIN).unwrap();
        assert_eq!(counter.incremented(i64::MAX).unwrap().counter_value().unwrap(), -1);
    }

    #[test]
    fn other_records_are_not_counters() {
        let mut plain = header();
        plain.codec = CodecId::JSON;
        let mut squeezed = header();
        (squeezed.codec, squeezed.compressor) = (CodecId::COUNTER, CompressorId::LZ4);
        let mut counter = header();
        counter.codec = CodecId::COUNTER;

        for (header, payload) in [(&plain, "5"), (&squeezed, "5"), (&counter, "five")] {
            let record = Record::new(header, payload.as_bytes()).unwrap();
            assert_eq!(record.counter_value().unwrap_err().kind(), ErrorKind::NotACounter);
            assert_eq!(record.incremented(1).unwrap_err().kind(), ErrorKind::NotACounter);
        }
    }

    #[test]
    fn integers_are_read_only_as_they_are_written() {
        for value in [0, 1, -1, 10, i64::MIN, i64::MAX] {
            assert_eq!(integer(value.to_string().as_bytes()), Some(value));
        }
        for text in ["", "-", "+1", "01", "-0", "-01", " 1", "1 ", "1.0", "9223372036854775808"] {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
    }
}
