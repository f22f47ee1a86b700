//! The operations of the contract: what each sends, and who is told.

use std::borrow::Cow;
use std::sync::Weak;
use std::time::Duration;

use redis::Value;

use super::keeping::millis;
use super::reading::{Found, Reading};
use super::script::{Call, RELEASE, RENEW};
use super::{MAX_RECORD, RedisStore, copies, names, sent, slots};
use crate::clock::{Clock, Moment};
use crate::error::{Error, ErrorKind};
use crate::record::{Generation, Life, Record, RecordId, Scope};
use crate::store::{
    Capabilities, DECLINED_FOR, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page,
    Pending, Release, Severity, Sink, Store, StoredKey, Ttl,
};

/// How many keys one step of a clear looks at.
const CLEARED_AT_ONCE: usize = 500;

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
            store_timeout: self.timeout,
            ..Capabilities::new()
        }
    }

    fn now(&self) -> Moment {
        self.beats.clock.now()
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        Box::pin(self.read(Reading::Registered, keys, scopes))
    }

    fn glance<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        Box::pin(self.read(Reading::Glance, keys, scopes))
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
                Guard::Lease(token) => writing.has_saved_for(token.holder),
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
        self.beats.trust.holds_at(Clock::system().coarse_now())
    }

    #[inline]
    fn trusted_at(&self, now: Moment) -> bool {
        self.beats.trust.holds_at(now)
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

    fn keep<'a>(&'a self, scopes: &'a [Scope], ttl: Ttl) -> Pending<'a, ()> {
        Box::pin(self.extend(scopes, ttl))
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
            if !touched {
                writing.has_changed_nothing();
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
