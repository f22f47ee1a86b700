//! TO BE REMOVED AT MERGE: stands in for `Record::touched` and `Record::incremented`, which `record/`
//! is getting. A counter's payload is taken to be decimal ASCII after byte 84.

use bytes::Bytes;

use super::Record;
use crate::error::{Error, ErrorKind};
use crate::store::Life;

const HEADER: usize = 84;

impl Record {
    /// A copy with another life and the same id.
    pub fn touched(&self, life: Life) -> Result<Self, Error> {
        let mut bytes = self.bytes().to_vec();
        if let Some(created) = bytes.get_mut(20..28) {
            created.copy_from_slice(&life.created.as_micros().to_le_bytes());
        }
        Ok(Self::from_bytes(Bytes::from(bytes)))
    }

    /// A copy that counts `by` more, with the same life and id; what it counts then is its
    /// [`count`](Self::count).
    pub fn incremented(&self, by: i64) -> Result<Self, Error> {
        let sum = self
            .count()?
            .checked_add(by)
            .ok_or_else(|| refusal("the sum does not fit"))?;
        let mut bytes = self.bytes()[..HEADER].to_vec();
        bytes.extend_from_slice(sum.to_string().as_bytes());
        Ok(Self::from_bytes(Bytes::from(bytes)))
    }

    /// What a counter counts.
    pub fn count(&self) -> Result<i64, Error> {
        let payload = self.bytes().get(HEADER..).unwrap_or_default();
        let text = std::str::from_utf8(payload).ok();
        text.and_then(|text| text.parse().ok())
            .ok_or_else(|| refusal("it holds no number"))
    }
}

fn refusal(why: &'static str) -> Error {
    Error::new(ErrorKind::NotACounter, "increment", why)
}
