//! What each operation sends, and what its reply means.

use std::borrow::Cow;
use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use redis::Value;

use super::keeping::{self, Keeping, millis};
use super::link::Step;
use super::script::{Call, INCREMENT, LEASE, RELEASE, RENEW, SAVE, STANDING, TOUCH};
use super::waiters::Heard;
use super::{MAX_RECORD, RedisStore, copies, fault, names, records, sent, slots};
use crate::Moment;
use crate::error::{Error, ErrorKind};
use crate::record::{Generation, Life, Record, RecordId, Scope};
use crate::runtime;
use crate::store::{
    Capabilities, DECLINED_FOR, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page,
    Pending, Release, Severity, Sink, Slot, Store, StoredKey, Ttl,
};

/// How many keys one step of a clear looks at.
const CLEARED_AT_ONCE: usize = 500;

/// How often a save or a lease asks again about a record too short to bear an id, which others
/// replace all the while.
const TRIES: usize = 4;

/// The bytes of what is too short to bear an id, and of its header.
type Short = (Bytes, Bytes);

impl RedisStore {
    /// The one reply to one call.
    async fn ask(&self, call: Call) -> Result<Value, Error> {
        let operation = call.operation;
        let reply = self.link.call(vec![call]).await.pop();
        reply.unwrap_or_else(|| Err(self.garbled(operation)))
    }

    async fn ask_whether(&self, call: Call) -> Result<bool, Error> {
        let operation = call.operation;
        match self.ask(call).await? {
            Value::Int(answer) => Ok(answer != 0),
            _ => Err(self.garbled(operation)),
        }
    }

    fn garbled(&self, operation: &'static str) -> Error {
        fault::garbled(operation, &self.name)
    }

    async fn read(&self, keys: &[StoredKey], scopes: &[Scope]) -> Result<Loaded, Error> {
        if keys.is_empty() && scopes.is_empty() {
            return Ok(Loaded::default());
        }
        let mut asked = Vec::with_capacity(2 * keys.len() + scopes.len());
        for key in keys {
            asked.extend([names::record(key), names::lease(key)]);
        }
        asked.extend(scopes.iter().map(names::generation));
        let texts = self.link.read(asked).await?;
        if texts.len() != 2 * keys.len() + scopes.len() {
            return Err(self.garbled("load"));
        }
        let mut texts = texts.into_iter();
        let pairs: Vec<_> = texts.by_ref().take(2 * keys.len()).collect();
        let generations = texts.map(|text| keeping::generation(&text?)).collect();
        let mut slots: Vec<Slot> = pairs
            .chunks_exact(2)
            .map(|pair| records::slot(pair[0].clone(), None, pair[1].as_ref()))
            .collect();
        self.count(keys, &mut slots).await?;
        Ok(Loaded { slots, generations })
    }

    /// Reads what may be counters once more, with their headers.
    async fn count(&self, keys: &[StoredKey], slots: &mut [Slot]) -> Result<(), Error> {
        let is_number = |slot: &Slot| {
            slot.record.as_ref().is_some_and(|record| records::is_number(record.bytes()))
        };
        let counters: Vec<_> = (0..slots.len()).filter(|&at| is_number(&slots[at])).collect();
        if counters.is_empty() {
            return Ok(());
        }
        let asked = counters.iter().flat_map(|&at| {
            let key = &keys[at];
            [names::record(key), names::header(key)]
        });
        let texts = self.link.read(asked.collect()).await?;
        if texts.len() != 2 * counters.len() {
            return Err(self.garbled("load"));
        }
        for (at, pair) in counters.into_iter().zip(texts.chunks_exact(2)) {
            slots[at].record =
                pair[0].clone().map(|text| records::put_together(text, pair[1].as_ref()));
        }
        Ok(())
    }

    /// Saves; says whether it took place.
    async fn store(
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

    /// Texts of a reply; what is no text is `None`.
    fn texts(
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
    async fn ask_which(&self, call: Call) -> Result<(i64, Vec<Value>), Error> {
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

    async fn ask_lease(
        &self,
        key: &StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Result<Leasing, Error> {
        let lease = Call::new("lease", &LEASE, names::all(key))
            .arg(token.to_bytes())
            .arg(millis(Some(ttl)))
            .arg(seen.map(|id| id.0.to_vec()).unwrap_or_default())
            .repeatable();
        let mut short: Option<Short> = None;
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let watching = self.pushed.waiters.prepare(key);
            let lease = with_short(lease.clone(), short.take());
            let (which, parts) = self.ask_which(lease).await?;
            match (which, parts.as_slice()) {
                (1, _) => return Ok(Leasing::Granted),
                (2, [Value::BulkString(by), Value::Int(left)]) => {
                    let by = records::token(by).ok_or_else(|| self.garbled("lease"))?;
                    let remaining = lasting(*left);
                    watching.keep(by, remaining);
                    return Ok(Leasing::Held { by, remaining });
                }
                (3, _) => {
                    let found = self.texts("lease", parts)?;
                    short = same_short(&found, seen);
                    if short.is_none() || tries == 0 {
                        return Ok(Leasing::Changed(slot_of(found)));
                    }
                }
                _ => return Err(self.garbled("lease")),
            }
        }
    }

    /// Waits until the lease does not stand any more.
    async fn wait(
        &self,
        key: &StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Result<(), Error> {
        let until = runtime::after(at_most);
        let waiters = &self.pushed.waiters;
        let (watching, mut is_known) = match waiters.claim(key, lease) {
            Some(watching) => (watching, true),
            None => (waiters.watch(key), false),
        };
        loop {
            match watching.heard() {
                Heard::Over => return Ok(()),
                Heard::LeaseChanged => is_known = false,
                Heard::Nothing => {}
            }
            if !is_known {
                let call = Call::new("wait", &STANDING, names::all(key));
                match self.ask(call.arg(lease.to_bytes()).repeatable()).await? {
                    Value::Int(left) if left > 0 => watching.stands(lease, lasting(left)),
                    _ => return Ok(()),
                }
                is_known = true;
                continue;
            }
            let end = watching.end().map_or(until, |end| end.min(until));
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            watching.listen(left).await;
        }
    }

    async fn replace_life(
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

    async fn add(&self, key: &StoredKey, seen: RecordId, by: i64) -> Result<Incremented, Error> {
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

    async fn step(&self, prefix: &str, from: Option<&str>, count: usize) -> Result<Found, Error> {
        let Step { names, next } = self.link.scan(names::pattern(prefix), from, count).await?;
        let keys = names.iter().filter_map(|name| names::key_of_record(name));
        Ok(Found { keys: keys.collect(), next })
    }

    async fn unlink(&self, keys: &[StoredKey]) -> Result<usize, Error> {
        if keys.is_empty() {
            return Ok(0);
        }
        let _telling: Vec<_> = keys.iter().map(|key| self.pushed.writing(key)).collect();
        let removed = self.link.unlink(keys.iter().map(names::record).collect()).await?;
        self.link.unlink(keys.iter().map(names::header).collect()).await?;
        Ok(removed)
    }
}

struct Found {
    keys: Vec<StoredKey>,
    next: Option<String>,
}

/// What stands there, if it is too short to bear an id and is what was seen all the same.
fn same_short(found: &[Option<Bytes>], seen: Option<RecordId>) -> Option<Short> {
    let text = found.first()?.as_ref().filter(|text| text.len() <= 20)?;
    let head = found.get(1)?.as_ref();
    let record = records::put_together(text.clone(), head);
    (Some(record.id()) == seen).then(|| (text.clone(), head.cloned().unwrap_or_default()))
}

fn with_short(call: Call, short: Option<Short>) -> Call {
    match short {
        Some((text, head)) => call.arg(text).arg(head),
        None => call,
    }
}

/// The slot of record, header and lease.
fn slot_of(found: Vec<Option<Bytes>>) -> Slot {
    let mut found = found.into_iter();
    let (text, head) = (found.next().flatten(), found.next().flatten());
    records::slot(text, head.as_ref(), found.next().flatten().as_ref())
}

/// So many milliseconds, and the one that was begun.
fn lasting(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or_default() + 1)
}

fn not_a_counter(message: &'static str) -> Error {
    Error::new(ErrorKind::NotACounter, "count", message)
}

impl Store for RedisStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            leases: true,
            pushes: true,
            shared: true,
            max_record: Some(MAX_RECORD),
            ..Capabilities::new()
        }
    }

    fn now(&self) -> Moment {
        self.beats.clock.now()
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        Box::pin(self.read(keys, scopes))
    }

    fn save<'a>(
        &'a self,
        key: &'a StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
        scopes: &'a [Scope],
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            if record.bytes().len() > MAX_RECORD {
                return Err(Error::new(ErrorKind::TooLarge, "save", "the record is too large")
                    .with("store", &self.name)
                    .with("key", key)
                    .with("bytes", record.bytes().len())
                    .with("at most", MAX_RECORD));
            }
            let writing = self.pushed.writing(key);
            let saved = self.store(key, &record, ttl, guard, scopes).await?;
            match guard {
                _ if !saved => writing.has_changed_nothing(),
                Guard::Lease(token) => writing.is_own_save_of(token.holder),
                Guard::Always | Guard::Seen(_) => drop(writing),
            }
            Ok(saved)
        })
    }

    fn delete<'a>(&'a self, keys: &'a [StoredKey]) -> Pending<'a, usize> {
        Box::pin(async move {
            self.sent.deletes(keys);
            let _telling: Vec<_> = keys.iter().map(|key| self.pushed.writing(key)).collect();
            let mut deleted = 0;
            for reply in self.link.call(keys.iter().map(sent::delete).collect()).await {
                match reply? {
                    Value::Int(was_there) => deleted += usize::from(was_there != 0),
                    _ => return Err(self.garbled("delete")),
                }
            }
            Ok(deleted)
        })
    }

    fn lease<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Pending<'a, Leasing> {
        Box::pin(self.ask_lease(key, token, ttl, seen))
    }

    fn renew<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Pending<'a, bool> {
        let call = Call::new("renew", &RENEW, names::all(key));
        let call = call.arg(token.to_bytes()).arg(millis(Some(ttl)));
        Box::pin(self.ask_whether(call.repeatable()))
    }

    fn release<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let remembered = match release {
                Release::Abandoned => "0".to_owned(),
                Release::Declined => millis(Some(DECLINED_FOR)),
            };
            let call = Call::new("release", &RELEASE, names::all(key));
            let writing = self.pushed.writing(key);
            let released = self.ask_whether(call.arg(token.to_bytes()).arg(remembered)).await;
            writing.has_changed_the_lease();
            released
        })
    }

    fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()> {
        Box::pin(self.wait(key, lease, at_most))
    }

    fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        self.pushed.admit(holder, sink);
    }

    fn trusted(&self) -> bool {
        self.beats.trust.holds()
    }

    fn scopes_for<'a>(&self, key: &StoredKey, scopes: &'a [Scope]) -> Cow<'a, [Scope]> {
        if self.has_copies {
            copies::chosen(scopes, slots::slot(&names::record(key)))
        } else {
            scopes.into()
        }
    }

    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        Box::pin(self.create(scopes))
    }

    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()> {
        Box::pin(async move {
            self.sent.strikes(scopes, severity);
            let _telling = self.pushed.striking(scopes);
            let calls = scopes.iter().flat_map(|scope| self.sent.strike(scope, severity));
            self.link.call(calls.collect()).await.into_iter().try_for_each(|reply| reply.map(drop))
        })
    }

    /// Reads the record, and writes it back if nobody has replaced it meanwhile.
    fn touch<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        life: Life,
        scopes: &'a [Scope],
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let writing = self.pushed.writing(key);
            let touched = self.replace_life(key, seen, life, scopes).await?;
            if touched {
                drop(writing)
            } else {
                writing.has_changed_nothing()
            }
            Ok(touched)
        })
    }

    fn increment<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Pending<'a, Incremented> {
        Box::pin(async move {
            let writing = self.pushed.writing(key);
            let answer = self.add(key, seen, by).await?;
            match answer {
                Incremented::Sum(_) => drop(writing),
                Incremented::Changed(_) => writing.has_changed_nothing(),
            }
            Ok(answer)
        })
    }

    /// A page looks at about `limit` of all the names in the database, so it may be empty.
    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Page> {
        Box::pin(async move {
            let Found { keys, next } = self.step(prefix, from, limit.clamp(10, 1000)).await?;
            Ok(Page { keys, next })
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Pending<'a, usize> {
        Box::pin(async move {
            let (mut cleared, mut from) = (0, None);
            loop {
                let Found { keys, next } =
                    self.step(prefix, from.as_deref(), CLEARED_AT_ONCE).await?;
                cleared += self.unlink(&keys).await?;
                from = next;
                if from.is_none() {
                    return Ok(cleared);
                }
            }
        })
    }
}
