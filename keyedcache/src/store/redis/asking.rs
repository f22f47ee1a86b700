//! Sending calls and taking their replies apart.

use bytes::Bytes;
use redis::Value;

use super::script::Call;
use super::{RedisStore, fault, records};
use crate::error::Error;
use crate::record::RecordId;
use crate::store::Slot;

/// How often what is too short to bear an id is asked about again, while others replace it.
pub(super) const TRIES: usize = 4;

/// The bytes of what is too short to bear an id, and of its header.
pub(super) type Short = (Bytes, Bytes);

impl RedisStore {
    /// The one reply to one call.
    pub(super) async fn ask(&self, call: Call) -> Result<Value, Error> {
        let operation = call.operation;
        let reply = self.link.call(vec![call]).await.pop();
        reply.unwrap_or_else(|| Err(self.garbled(operation)))
    }

    pub(super) async fn ask_whether(&self, call: Call) -> Result<bool, Error> {
        let operation = call.operation;
        match self.ask(call).await? {
            Value::Int(answer) => Ok(answer != 0),
            _ => Err(self.garbled(operation)),
        }
    }

    pub(super) fn garbled(&self, operation: &'static str) -> Error {
        fault::garbled(operation, &self.name)
    }

    /// Texts of a reply; what is no text is `None`.
    pub(super) fn texts(
        &self,
        operation: &'static str,
        parts: Vec<Value>,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let text = |part| match part {
            Value::BulkString(text) => Ok(Some(Bytes::from(text))),
            Value::Nil => Ok(None),
            _ => Err(self.garbled(operation)),
        };
        parts.into_iter().map(text).collect()
    }

    /// A reply that begins with a number, and the rest of it.
    pub(super) async fn ask_which(&self, call: Call) -> Result<(i64, Vec<Value>), Error> {
        let operation = call.operation;
        let Value::Array(parts) = self.ask(call).await? else {
            return Err(self.garbled(operation));
        };
        let mut parts = parts.into_iter();
        match parts.next() {
            Some(Value::Int(which)) => Ok((which, parts.collect())),
            _ => Err(self.garbled(operation)),
        }
    }
}

/// What stands there, if it is too short to bear an id and is what was seen all the same.
pub(super) fn same_short(found: &[Option<Bytes>], seen: Option<RecordId>) -> Option<Short> {
    let text = found.first()?.as_ref().filter(|text| text.len() <= 20)?;
    let head = found.get(1)?.as_ref();
    let record = records::put_together(text.clone(), head);
    (Some(record.id()) == seen).then(|| (text.clone(), head.cloned().unwrap_or_default()))
}

pub(super) fn with_short(call: Call, short: Option<Short>) -> Call {
    match short {
        Some((text, head)) => call.arg(text).arg(head),
        None => call,
    }
}

/// The slot of record, header and lease.
pub(super) fn slot_of(found: Vec<Option<Bytes>>) -> Slot {
    let mut found = found.into_iter();
    let (text, head) = (found.next().flatten(), found.next().flatten());
    records::slot(text, head.as_ref(), found.next().flatten().as_ref())
}
