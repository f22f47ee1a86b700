//! What a store does with one key, as steps on its object.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::body;
use super::client::Got;
use super::inner::Inner;
use super::memory::{Held, Known};
use super::place::{Kept, Lease, Place, end_of};
use super::step::{IfUnsure, Next};
use crate::error::{Error, ErrorKind};
use crate::record::{Generation, Life, Record, RecordId, Scope};
use crate::store::{
    Guard, Incremented, LeaseToken, Leasing, Loaded, Release, Slot, StoredKey, Ttl,
};

/// How many requests of one operation are under way at once.
pub(super) const AT_ONCE: usize = 64;

impl Inner {
    /// Reads keys and scopes, all side by side.
    pub(super) async fn load(
        self: Arc<Self>,
        keys: Vec<StoredKey>,
        scopes: Vec<Scope>,
    ) -> Result<Loaded, Error> {
        let generations = Arc::clone(&self)
            .side_by_side(scopes, |inner, scope| async move { inner.generation(&scope).await });
        let generations = tokio::spawn(generations);
        // A hit has one key, and no need for another task.
        let slots = if let [key] = &keys[..] {
            vec![self.look(key).await?]
        } else {
            let look = |inner: Arc<Self>, key: StoredKey| async move { inner.look(&key).await };
            Arc::clone(&self).side_by_side(keys, look).await?
        };
        let generations: Vec<Option<Generation>> = generations
            .await
            .map_err(|_| self.error(ErrorKind::Unavailable, "load", "the request broke off"))??;
        Ok(Loaded { slots, generations })
    }

    /// What `ask` answers of each, in their order; at most [`AT_ONCE`] at once.
    pub(super) async fn side_by_side<A, T, W>(
        self: Arc<Self>,
        of: Vec<A>,
        ask: impl Fn(Arc<Self>, A) -> W,
    ) -> Result<Vec<T>, Error>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut answers: Vec<Option<T>> = Vec::new();
        answers.resize_with(of.len(), || None);
        let mut under_way = JoinSet::new();
        let mut rest = of.into_iter().enumerate();
        loop {
            while under_way.len() < AT_ONCE {
                let Some((place, one)) = rest.next() else { break };
                let asked = ask(Arc::clone(&self), one);
                under_way.spawn(async move { (place, asked.await) });
            }
            let Some(done) = under_way.join_next().await else { break };
            let (place, answer) = done
                .map_err(|_| self.error(ErrorKind::Unavailable, "load", "the request broke off"))?;
            answers[place] = Some(answer?);
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// What stands under a key; what has ended is deleted later.
    async fn look(self: &Arc<Self>, key: &StoredKey) -> Result<Slot, Error> {
        if self.is_unheeded() {
            return Ok(self.look_unheeded(key).await?.slot());
        }
        let name = self.names.of_key(key);
        let (etag, place) = match self.read_shared(&name).await? {
            Some((etag, body)) => (Some(etag), body::read(key, &body).place),
            None => (None, Place::empty(key.clone())),
        };
        if place.under.is_some() && !self.heeds_conditions(&mut self.patience()).await? {
            return Ok(self.look_unheeded(key).await?.slot());
        }
        let place = place.made_under_conditions().at(self.bucket.clock.now());
        if let Some(etag) = etag.clone().filter(|_| place.is_empty()) {
            self.tidy_later(key, etag);
        }
        self.memory.remember(key, etag, place.clone());
        Ok(place.slot())
    }

    pub(super) async fn save(
        self: Arc<Self>,
        key: StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
    ) -> Result<bool, Error> {
        let most = self.bucket.settings.max_record;
        if record.bytes().len() > most {
            let message = "the record is larger than the store takes";
            return Err(self.error(ErrorKind::TooLarge, "save", message).with("key", key));
        }
        let _turn = self.turns.take(&key).await;
        if !self.heeds_conditions(&mut self.patience()).await? {
            return self.save_unheeded(key, record, ttl, guard).await;
        }
        let known = self.memory.take(&key);
        let start = match guard {
            Guard::Always => {
                let until = end_of(ttl, self.bucket.clock.now());
                let place = Place::with_record(key.clone(), record, until);
                self.overwrite(&self.names.of_key(&key), &place).await?;
                self.look_again(&key);
                return Ok(true);
            }
            Guard::Seen(None) => known.or_else(|| Some(assumed(&key))),
            Guard::Seen(Some(_)) => known,
            Guard::Lease(token) => self.held(&key, token).or(known),
        };
        let saved = self.step(&key, start, IfUnsure::SaySo, |place, now| {
            let holds = match guard {
                Guard::Always => true,
                Guard::Seen(seen) => place.seen() == seen,
                Guard::Lease(token) => place.is_leased_to(token),
            };
            let place = Place::with_record(key.clone(), record.clone(), end_of(ttl, now));
            Ok(if holds { Next::Write(place, true) } else { Next::Stop(false) })
        });
        let saved = saved.await;
        if let Guard::Lease(token) = guard {
            self.memory.let_go(token);
        }
        self.look_again(&key);
        Ok(saved?.answer)
    }

    /// Deletes one key, whatever stands there; whether a record did.
    pub(super) async fn delete(self: Arc<Self>, key: StoredKey) -> Result<bool, Error> {
        // One whose caller has gone does not overtake what comes after it.
        let _turn = self.turns.take(&key).await;
        let name = self.names.of_key(&key);
        let mut patience = self.patience();
        if !self.heeds_conditions(&mut patience).await? {
            return self.delete_unheeded(key).await;
        }
        let found = self.get(&name, Some(body::HEAD_ROOM), None, &mut patience).await?;
        self.memory.take(&key);
        let Got::Found { body, .. } = found else { return Ok(false) };
        let now = self.bucket.clock.now();
        let was_there = match body::read_head(&body) {
            Some(head) => head.place.at(now).record.is_some(),
            None => true,
        };
        loop {
            match self.bucket.delete(&name, None).await {
                Ok(_) => break,
                Err(fault) => patience.again(fault).await?,
            }
        }
        self.memory.take(&key);
        self.look_again(&key);
        Ok(was_there)
    }

    pub(super) async fn lease(
        self: Arc<Self>,
        key: StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Result<Leasing, Error> {
        let _turn = self.turns.take(&key).await;
        if !self.heeds_conditions(&mut self.patience()).await? {
            return self.lease_unheeded(key, token, ttl, seen).await;
        }
        let known = self.memory.take(&key);
        let start = match (known, seen) {
            (None, None) => Some(assumed(&key)),
            (known, _) => known,
        };
        let mut is_bare = true;
        let stepped = self.step(&key, start, IfUnsure::DecideAnew, |place, now| {
            is_bare = place.record.is_none() && place.declined_until.is_none();
            Ok(match place.lease {
                Some(Lease { token: by, until }) if by != token => {
                    Next::Stop(Leasing::Held { by, remaining: until.since(now) })
                }
                None if place.seen() != seen => Next::Stop(Leasing::Changed(place.slot())),
                _ => Next::Write(place.leased(token, now.plus(ttl)), Leasing::Granted),
            })
        });
        let stepped = stepped.await?;
        if let Some(etag) = stepped.etag {
            let held = Held { key, etag, until: stepped.at.plus(ttl), is_bare };
            self.memory.hold(token, held, stepped.at);
        }
        Ok(stepped.answer)
    }

    /// Looks whether the lease stands, and writes only if half of its time is over, or it is to end
    /// otherwise than it would: a look costs a tenth of a write.
    pub(super) async fn renew(
        self: Arc<Self>,
        key: StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Result<bool, Error> {
        let _turn = self.turns.take(&key).await;
        if self.is_unheeded() {
            return self.renew_unheeded(key, token, ttl).await;
        }
        self.memory.take(&key);
        if let Some(held) = self.memory.held(&key, token) {
            let name = self.names.of_key(&key);
            let found = self.get(&name, None, Some(&held.etag), &mut self.patience()).await?;
            let left = held.until.since(self.bucket.clock.now());
            if matches!(found, Got::Unchanged) && (ttl / 2..=ttl).contains(&left) && !left.is_zero()
            {
                return Ok(true);
            }
        }
        let mut is_bare = true;
        let stepped = self.step(&key, None, IfUnsure::DecideAnew, |place, now| {
            is_bare = place.record.is_none() && place.declined_until.is_none();
            let holds = place.is_leased_to(token);
            let place = place.leased(token, now.plus(ttl));
            Ok(if holds { Next::Write(place, true) } else { Next::Stop(false) })
        });
        let stepped = stepped.await?;
        match stepped.etag {
            Some(etag) => {
                let held = Held { key: key.clone(), etag, until: stepped.at.plus(ttl), is_bare };
                self.memory.hold(token, held, stepped.at);
            }
            None => self.memory.let_go(token),
        }
        self.look_again(&key);
        Ok(stepped.answer)
    }

    pub(super) async fn release(
        self: Arc<Self>,
        key: StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Result<bool, Error> {
        let _turn = self.turns.take(&key).await;
        if self.is_unheeded() {
            return self.release_unheeded(key, token, release).await;
        }
        self.memory.take(&key);
        // What stands beside the lease is to stay, and only the object knows it.
        let is_bare = self.memory.held(&key, token).is_some_and(|held| held.is_bare);
        let start = if is_bare { self.held(&key, token) } else { None };
        let stepped = self.step(&key, start, IfUnsure::DecideAnew, |place, now| {
            if !place.is_leased_to(token) {
                return Ok(Next::Stop(false));
            }
            Ok(match release {
                Release::Declined => Next::Write(place.declined(now), true),
                Release::Abandoned => {
                    let place = Place { lease: None, ..place };
                    if place.is_empty() { Next::Remove(true) } else { Next::Write(place, true) }
                }
            })
        });
        let stepped = stepped.await;
        self.memory.let_go(token);
        self.look_again(&key);
        let stepped = stepped?;
        if let Some(etag) = stepped.etag.filter(|_| is_bare) {
            // Only the marker is left, and it does not last.
            self.tidy_later(&key, etag);
        }
        Ok(stepped.answer)
    }

    pub(super) async fn touch(
        self: Arc<Self>,
        key: StoredKey,
        seen: RecordId,
        life: Life,
    ) -> Result<bool, Error> {
        let _turn = self.turns.take(&key).await;
        if !self.heeds_conditions(&mut self.patience()).await? {
            return self.touch_unheeded(key, seen, life).await;
        }
        let start = self.memory.take(&key);
        let stepped =
            self.step(&key, start, IfUnsure::DecideAnew, |place, _| match &place.record {
                Some(Kept { record, .. }) if record.id() == seen => {
                    let record = record.touched(life)?;
                    let kept = Kept { record, until: end_of(life.ttl, life.created) };
                    Ok(Next::Write(Place { record: Some(kept), ..place }, true))
                }
                _ => Ok(Next::Stop(false)),
            });
        Ok(stepped.await?.answer)
    }

    pub(super) async fn increment(
        self: Arc<Self>,
        key: StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Result<Incremented, Error> {
        let _turn = self.turns.take(&key).await;
        if !self.heeds_conditions(&mut self.patience()).await? {
            return Err(self.refused("increment"));
        }
        let start = self.memory.take(&key);
        let mut written = None;
        let stepped = self.step(&key, start, IfUnsure::SaySo, |place, _| match &place.record {
            Some(Kept { record, until }) if record.id() == seen => {
                let record = record.incremented(by)?;
                let sum = record.counter_value()?;
                let kept = Kept { record, until: *until };
                let place = Place { record: Some(kept), ..place };
                written = Some(place.clone());
                Ok(Next::Write(place, Incremented::Sum(sum)))
            }
            _ => Ok(Next::Stop(Incremented::Changed(place.slot()))),
        });
        let stepped = stepped.await?;
        if let (Some(etag), Some(place)) = (stepped.etag, written) {
            // Who counts once will most likely count again.
            self.memory.remember(&key, Some(etag), place);
        }
        Ok(stepped.answer)
    }

    /// What is known of a key whose lease this process holds, but for the record beside it.
    fn held(&self, key: &StoredKey, token: LeaseToken) -> Option<Known> {
        let held = self.memory.held(key, token)?;
        let place = Place::empty(key.clone()).leased(token, held.until);
        Some(Known { etag: Some(held.etag), place, is_certain: false })
    }
}

/// That nothing stands there, as the caller has seen.
fn assumed(key: &StoredKey) -> Known {
    Known { etag: None, place: Place::empty(key.clone()), is_certain: false }
}
