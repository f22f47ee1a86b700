//! Writing records: by a guard, with another life, or with another count.

use redis::Value;

use super::asking::{Short, TRIES, same_short, slot_of, with_short};
use super::keeping::{Keeping, millis};
use super::script::{Call, INCREMENT, SAVE, TOUCH};
use super::{RedisStore, fault, names, records};
use crate::error::{Error, ErrorKind};
use crate::record::{Life, Record, RecordId, Scope};
use crate::store::{Guard, Incremented, Store, StoredKey, Ttl};

impl RedisStore {
    /// Saves; says whether it took place.
    pub(super) async fn store(
        &self,
        key: &StoredKey,
        record: &Record,
        ttl: Ttl,
        guard: Guard,
        scopes: &[Scope],
    ) -> Result<bool, Error> {
        let (text, head) = records::taken_apart(record);
        let (kind, want, seen) = match guard {
            Guard::Always => ("always", Vec::new(), None),
            Guard::Lease(token) => ("lease", token.to_bytes().to_vec(), None),
            Guard::Seen(seen) => ("seen", seen.map(|id| id.0.to_vec()).unwrap_or_default(), seen),
        };
        let save = Call::new("save", &SAVE, names::all(key))
            .arg(&text)
            .arg(head.as_deref().unwrap_or_default())
            .arg(millis(ttl))
            .arg(kind)
            .arg(want);
        let mut short: Option<Short> = None;
        for _ in 0..TRIES {
            let save = with_short(save.clone(), short.take());
            let Keeping { short: scopes, mut calls, asked } = self.keeping(scopes, ttl);
            calls.insert(0, save);
            let mut replies = self.link.call(calls).await.into_iter();
            let reply = replies.next().unwrap_or_else(|| Err(self.garbled("save")))?;
            self.kept(&scopes, asked, replies);
            match reply {
                Value::Int(answer) => return Ok(answer != 0),
                Value::Array(parts) => {
                    let found = self.texts("save", parts)?;
                    short = same_short(&found, seen);
                }
                _ => return Err(self.garbled("save")),
            }
            if short.is_none() {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Gives a record another life; says whether it was the one seen.
    pub(super) async fn replace_life(
        &self,
        key: &StoredKey,
        seen: RecordId,
        life: Life,
        scopes: &[Scope],
    ) -> Result<bool, Error> {
        let texts = self.link.read(vec![names::record(key), names::header(key)]).await?;
        let [Some(text), head] = texts.as_slice() else { return Ok(false) };
        let record = records::put_together(text.clone(), head.as_ref());
        if record.id() != seen {
            return Ok(false);
        }
        let (text, head) = records::taken_apart(&record.touched(life)?);
        let passed = self.now().since(life.created);
        let ttl = life.ttl.map(|ttl| ttl.saturating_sub(passed));
        let touch = Call::new("touch", &TOUCH, names::all(key))
            .arg(head.as_ref().unwrap_or(&text))
            .arg(if head.is_some() { "1" } else { "0" })
            .arg(millis(ttl))
            .arg(seen.0);
        let Keeping { short, mut calls, asked } = self.keeping(scopes, ttl);
        calls.insert(0, touch);
        let mut replies = self.link.call(calls).await.into_iter();
        let reply = replies.next().unwrap_or_else(|| Err(self.garbled("touch")))?;
        self.kept(&short, asked, replies);
        match reply {
            Value::Int(answer) => Ok(answer != 0),
            _ => Err(self.garbled("touch")),
        }
    }

    /// Adds to a counter.
    pub(super) async fn add(
        &self,
        key: &StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Result<Incremented, Error> {
        const OPERATION: &str = "increment";
        let call = Call::new(OPERATION, &INCREMENT, names::all(key));
        let (which, parts) = self.ask_which(call.arg(seen.0).arg(by.to_string())).await?;
        let found = self.texts(OPERATION, parts)?;
        match (which, found.as_slice()) {
            (1, [Some(sum)]) => crate::record::integer(sum)
                .map(Incremented::Sum)
                .ok_or_else(|| self.garbled(OPERATION)),
            (2, [Some(why)]) => Err(self.not_added(&String::from_utf8_lossy(why))),
            (3, _) => {
                let slot = slot_of(found);
                if slot.record.as_ref().is_some_and(|record| record.id() == seen) {
                    return Err(not_a_counter("what is stored is not a counter"));
                }
                Ok(Incremented::Changed(slot))
            }
            _ => Err(self.garbled(OPERATION)),
        }
    }

    fn not_added(&self, why: &str) -> Error {
        if why.contains("overflow") || why.contains("not an integer") {
            return not_a_counter("the sum does not fit in 64 bits");
        }
        fault::refusal_in_script("increment", &self.name, why)
    }
}

fn not_a_counter(message: &'static str) -> Error {
    Error::new(ErrorKind::NotACounter, "count", message)
}
