//! What a store does with one key on a server that ignores preconditions: without leases that other
//! processes would see, and without ever bringing back what was deleted.
//!
//! - Each key bears a generation of its own, in an object beside its record's. A record says which one
//!   it was made under, and counts only while the key still bears that: a late save is dead on arrival,
//!   and needs no condition.
//! - A computation asks for its key's generation before it begins, and has it made if there is none.
//!   Deleting a key removes it; setting a value replaces it first. Absent, nothing counts.
//! - A lease stands within this process, and until the key bears another generation. Each process
//!   computes for itself, and of several answers that were made under one generation the last stays.
//! - What is nothing without a condition is refused: counting, and storing what nobody else has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::body;
use super::client::Only;
use super::conditions::WITHOUT_CONDITIONS;
use super::inner::Inner;
use super::place::{Kept, Lease, Place, end_of};
use super::tokens;
use crate::clock::Moment;
use crate::error::{Error, ErrorKind};
use crate::record::{Generation, GenerationToken, Life, Record, RecordId, Scope};
use crate::store::{DECLINED_FOR, Guard, LeaseToken, Leasing, Release, StoredKey, Ttl};

/// The leases that stand in this process, and what was declined in it.
#[derive(Debug, Default)]
pub(super) struct OwnLeases(Mutex<HashMap<StoredKey, Own>>);

/// What one key has of them, and the generation of the key that it stands under.
#[derive(Clone, Copy, Debug)]
struct Own {
    lease: Option<Lease>,
    declined_until: Option<Moment>,
    under: GenerationToken,
}

impl Own {
    /// The same without whatever has ended.
    fn at(mut self, now: Moment) -> Self {
        self.lease = self.lease.filter(|lease| lease.until > now);
        self.declined_until = self.declined_until.filter(|until| *until > now);
        self
    }

    fn is_empty(&self) -> bool {
        self.lease.is_none() && self.declined_until.is_none()
    }

    fn is_leased_to(&self, token: LeaseToken) -> bool {
        self.lease.is_some_and(|lease| lease.token == token)
    }
}

impl OwnLeases {
    /// What stands of a key that bears this generation.
    fn standing(&self, key: &StoredKey, under: GenerationToken, now: Moment) -> Option<Own> {
        let own = self.0.lock().get(key)?.at(now);
        (own.under == under && !own.is_empty()).then_some(own)
    }

    /// The generation under which a token holds the lease.
    fn under(&self, key: &StoredKey, token: LeaseToken, now: Moment) -> Option<GenerationToken> {
        let own = self.0.lock().get(key)?.at(now);
        own.is_leased_to(token).then_some(own.under)
    }

    fn put(&self, key: &StoredKey, own: Own, now: Moment) {
        let mut all = self.0.lock();
        all.retain(|_, own| !own.at(now).is_empty());
        all.insert(key.clone(), own);
    }

    fn end(&self, key: &StoredKey) {
        self.0.lock().remove(key);
    }
}

impl Inner {
    /// Whether this process has been told that the server ignores preconditions.
    pub(super) fn is_unheeded(&self) -> bool {
        self.heeds.get() == Some(&false)
    }

    /// What counts under a key, with the generation that the key bears in `under`.
    pub(super) async fn look_unheeded(self: &Arc<Self>, key: &StoredKey) -> Result<Place, Error> {
        let bears = {
            let (inner, key) = (Arc::clone(self), key.clone());
            tokio::spawn(async move { inner.generation_of_key(&key).await })
        };
        let found = self.read_shared(&self.names.of_key(key)).await?;
        let bears = bears
            .await
            .map_err(|_| self.error(ErrorKind::Unavailable, "load", "the request broke off"))??;
        let now = self.bucket.clock.now();
        let place = match found {
            Some((_, body)) => body::read(key, &body).place.at(now),
            None => Place::empty(key.clone()),
        };
        let record = place.record.filter(|_| bears.is_some() && place.under == bears);
        let own = bears.and_then(|bears| self.own.standing(key, bears, now));
        let lease = own.and_then(|own| own.lease);
        let declined_until = own.and_then(|own| own.declined_until);
        Ok(Place { key: place.key, record, lease, declined_until, under: bears })
    }

    pub(super) async fn save_unheeded(
        self: Arc<Self>,
        key: StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
    ) -> Result<bool, Error> {
        let until = end_of(ttl, self.bucket.clock.now());
        let under = match guard {
            Guard::Always => self.replace_generation_of_key(&key).await?,
            Guard::Seen(_) => return Err(self.refused("save")),
            Guard::Lease(token) => {
                let Some(under) = self.own.under(&key, token, self.bucket.clock.now()) else {
                    return Ok(false);
                };
                // It would be dead, and might be in the place of one that is not.
                if self.generation_of_key(&key).await? != Some(under) {
                    self.own.end(&key);
                    return Ok(false);
                }
                under
            }
        };
        let place = Place { under: Some(under), ..Place::with_record(key.clone(), record, until) };
        let saved = self.overwrite(&self.names.of_key(&key), &place).await;
        self.own.end(&key);
        self.look_again(&key);
        saved.map(|()| true)
    }

    pub(super) async fn delete_unheeded(self: Arc<Self>, key: StoredKey) -> Result<bool, Error> {
        let stood = self.look_unheeded(&key).await?;
        self.own.end(&key);
        // The generation first: from then on nothing counts that was there, or is on its way.
        for name in [self.names.of_key_generation(&key), self.names.of_key(&key)] {
            let mut patience = self.patience();
            while let Err(fault) = self.bucket.delete(&name, None).await {
                patience.again(fault).await?;
            }
        }
        self.look_again(&key);
        Ok(stood.record.is_some())
    }

    pub(super) async fn lease_unheeded(
        self: Arc<Self>,
        key: StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Result<Leasing, Error> {
        let place = self.look_unheeded(&key).await?;
        let now = self.bucket.clock.now();
        match place.lease {
            Some(Lease { token: by, until }) if by != token => {
                return Ok(Leasing::Held { by, remaining: until.since(now) });
            }
            None if place.seen() != seen => return Ok(Leasing::Changed(place.slot())),
            _ => {}
        }
        let under = match place.under {
            Some(under) => under,
            None => self.replace_generation_of_key(&key).await?,
        };
        let lease = Some(Lease { token, until: now.plus(ttl) });
        self.own.put(&key, Own { lease, declined_until: place.declined_until, under }, now);
        Ok(Leasing::Granted)
    }

    pub(super) async fn renew_unheeded(
        self: Arc<Self>,
        key: StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Result<bool, Error> {
        let Some(own) = self.own_standing(&key).await?.filter(|own| own.is_leased_to(token)) else {
            return Ok(false);
        };
        let now = self.bucket.clock.now();
        self.own.put(&key, Own { lease: Some(Lease { token, until: now.plus(ttl) }), ..own }, now);
        Ok(true)
    }

    pub(super) async fn release_unheeded(
        self: Arc<Self>,
        key: StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Result<bool, Error> {
        let Some(own) = self.own_standing(&key).await?.filter(|own| own.is_leased_to(token)) else {
            return Ok(false);
        };
        let now = self.bucket.clock.now();
        let declined_until = match release {
            Release::Declined => Some(now.plus(DECLINED_FOR)),
            Release::Abandoned => own.declined_until,
        };
        self.own.put(&key, Own { lease: None, declined_until, ..own }, now);
        self.look_again(&key);
        Ok(true)
    }

    /// The lease of this process that stands on a key.
    pub(super) async fn own_lease(
        self: &Arc<Self>,
        key: &StoredKey,
    ) -> Result<Option<Lease>, Error> {
        Ok(self.own_standing(key).await?.and_then(|own| own.lease))
    }

    async fn own_standing(self: &Arc<Self>, key: &StoredKey) -> Result<Option<Own>, Error> {
        let bears = self.generation_of_key(key).await?;
        let now = self.bucket.clock.now();
        Ok(bears.and_then(|bears| self.own.standing(key, bears, now)))
    }

    pub(super) async fn touch_unheeded(
        self: Arc<Self>,
        key: StoredKey,
        seen: RecordId,
        life: Life,
    ) -> Result<bool, Error> {
        let place = self.look_unheeded(&key).await?;
        let Some(Kept { record, .. }) = place.record.filter(|kept| kept.record.id() == seen) else {
            return Ok(false);
        };
        let touched = record.touched(life)?;
        let until = end_of(life.ttl, life.created);
        let touched =
            Place { under: place.under, ..Place::with_record(key.clone(), touched, until) };
        self.overwrite(&self.names.of_key(&key), &touched).await?;
        Ok(true)
    }

    /// That an operation cannot be what it promises to be.
    pub(super) fn refused(&self, operation: &'static str) -> Error {
        self.error(ErrorKind::Unsupported, operation, WITHOUT_CONDITIONS)
    }

    /// The generation that a key bears, by a request that is sent after this was called.
    async fn generation_of_key(
        self: &Arc<Self>,
        key: &StoredKey,
    ) -> Result<Option<GenerationToken>, Error> {
        let found = self.read_shared(&self.names.of_key_generation(key)).await?;
        Ok(found.and_then(|(_, body)| tokens::read(&body)).map(|generation| generation.hard))
    }

    /// Has a key bear another generation.
    async fn replace_generation_of_key(&self, key: &StoredKey) -> Result<GenerationToken, Error> {
        let name = self.names.of_key_generation(key);
        let mut patience = self.patience();
        loop {
            // Another one each time: what comes late can only be one that nobody has been given.
            let generation = Generation::random();
            let body = tokens::write(&Scope::new(key.as_str()), generation);
            match self.bucket.put(&name, body, &Only::Always).await {
                Ok(_) => return Ok(generation.hard),
                Err(fault) => patience.again(fault).await?,
            }
        }
    }
}
