//! What a cache can be asked to do with keys by hand, as requests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::key::Key;
use crate::policy::Timeout;
use crate::store::Severity;

use super::plan::Plan;
use super::value::{Value, judge_slot};
use super::{Add, Boxed, Cache, Delete, Get, GetOrSet, Increment, Request, Set};

/// How long something still is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheTtl {
    /// Nothing is cached under the key.
    NoKey,
    /// For ever.
    NoExpiry,
    /// This long.
    Left(Duration),
}

impl Cache {
    /// One key, as everything that is done by hand sees it.
    pub(crate) fn value(&self, key: Key) -> Value {
        let core = self.core();
        let plan = Plan::of_values(core, core.scopes.of(&key));
        Value { stored: core.stored_key(&key), plan: Arc::new(plan), key }
    }

    /// The value cached under a key. One round trip; none if it is near.
    ///
    /// # Errors
    ///
    /// [`NotCachedError`](crate::NotCachedError) with its reason: nothing is stored (`Absent`), its
    /// time is over (`Expired`), it or all it belongs to was invalidated (`Invalidated`), it is not of
    /// this type or is damaged (`Undecodable`), the store cannot be asked (`Unavailable`), the cache
    /// is disabled (`Disabled`).
    pub fn get<T: DeserializeOwned + Clone + Send + Sync + 'static>(
        &self,
        key: impl Into<Key>,
    ) -> Get<T> {
        Get::new(self.value(key.into()))
    }

    /// Stores a value under a key, whatever is there, for the cache's timeout unless the request
    /// says otherwise. Two round trips. While the cache is disabled it is dropped.
    ///
    /// # Errors
    ///
    /// When it cannot be encoded, is larger than the store takes, or the store did not take it.
    pub fn set<'a, T: Serialize + Sync + ?Sized>(
        &self,
        key: impl Into<Key>,
        value: &'a T,
    ) -> Set<'a, T> {
        Set::new(self.value(key.into()), value)
    }

    /// Stores a value under a key if none is there; of several at once one does. Answers whether it
    /// did. Three round trips, one if something is there; again, if another came in between.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), and when the store cannot be asked what is there.
    pub fn add<'a, T: Serialize + Sync + ?Sized>(
        &self,
        key: impl Into<Key>,
        value: &'a T,
    ) -> Add<'a, T> {
        Add::new(self.value(key.into()), value)
    }

    /// The value cached under a key, or computed once among all that ask for it at the same time. One
    /// round trip, none if it is near; three if it is computed.
    pub fn get_or_set(&self, key: impl Into<Key>) -> GetOrSet {
        GetOrSet::new(self.value(key.into()))
    }

    /// Deletes what is cached under a key; answers how many records were there. What computes it now
    /// will not be stored. One round trip.
    ///
    /// # Errors
    ///
    /// When the store did not say that it is done; until it is, it may be served.
    pub fn delete(&self, key: impl Into<Key>) -> Delete {
        Delete::new(self.value(key.into()))
    }

    /// Whether something is cached under a key. `false` too where the store cannot be asked. One round
    /// trip, which reads the record.
    pub fn contains(&self, key: impl Into<Key>) -> Request<Boxed<'static, bool>> {
        let value = self.value(key.into());
        Request::new(Box::pin(async move { value.find().await.is_ok() }))
    }

    /// Gives what is cached under a key another life from now on; answers whether it is there. Two
    /// round trips, one if it is not. A timeout of zero deletes it.
    ///
    /// # Errors
    ///
    /// When the store cannot be asked, or did not say that it is done.
    pub fn touch(
        &self,
        key: impl Into<Key>,
        timeout: impl Into<Timeout>,
    ) -> Request<Boxed<'static, Result<bool, Error>>> {
        let value = self.value(key.into());
        let timeout = timeout.into();
        Request::new(Box::pin(async move { value.touch(timeout).await }))
    }

    /// Lets what is cached under a key live for ever; answers whether it is there. Costs and fails as
    /// [`touch`](Self::touch).
    pub fn persist(&self, key: impl Into<Key>) -> Request<Boxed<'static, Result<bool, Error>>> {
        self.touch(key, Timeout::Never)
    }

    /// How long what is cached under a key still is fresh. One round trip, which reads the record.
    ///
    /// # Errors
    ///
    /// When the store cannot be asked.
    pub fn ttl(&self, key: impl Into<Key>) -> Request<Boxed<'static, Result<CacheTtl, Error>>> {
        let value = self.value(key.into());
        Request::new(Box::pin(async move { value.ttl().await }))
    }

    /// Adds to the integer cached under a key, atomically, and answers the sum. The expiry stays. Two
    /// round trips, three to start one.
    ///
    /// # Errors
    ///
    /// - [`NotCached`](crate::ErrorKind::NotCached) if nothing is there and the request has no
    ///   `starting_at`.
    /// - [`NotACounter`](crate::ErrorKind::NotACounter) if what is there is no integer, or the sum is
    ///   out of range.
    /// - [`Disabled`](crate::ErrorKind::Disabled) while the cache is.
    /// - What the store says; after [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) it may have
    ///   been added.
    pub fn increment(&self, key: impl Into<Key>, by: i64) -> Increment {
        Increment::new(self.value(key.into()), Some(by))
    }

    /// Subtracts from the integer cached under a key; see [`increment`](Self::increment).
    pub fn decrement(&self, key: impl Into<Key>, by: i64) -> Increment {
        Increment::new(self.value(key.into()), by.checked_neg())
    }

    /// The values cached under these keys, in one round trip; what is missing is left out, and so is
    /// all of it where the store cannot be asked.
    pub fn get_many<T: DeserializeOwned + Send + 'static>(
        &self,
        keys: impl IntoIterator<Item = Key>,
    ) -> Request<Boxed<'static, HashMap<Key, T>>> {
        let values: Vec<_> = keys.into_iter().map(|key| self.value(key)).collect();
        let cache = self.clone();
        Request::new(Box::pin(async move { cache.load_many(&values).await }))
    }

    async fn load_many<T: DeserializeOwned + 'static>(&self, values: &[Value]) -> HashMap<Key, T> {
        let core = self.core();
        if values.is_empty() || !core.is_enabled() {
            return HashMap::new();
        }
        let keys: Vec<_> = values.iter().map(|value| value.stored.clone()).collect();
        let scopes: Vec<_> = values
            .iter()
            .flat_map(|value| core.store.scopes_for(&value.stored, &value.plan.scopes).into_owned())
            .collect();
        let loaded = match core.ask("load", core.store.glance(&keys, &scopes)).await {
            Ok(loaded) => loaded,
            Err(error) => {
                if let Some(key) = keys.first() {
                    core.count_failure(&error, key);
                }
                return HashMap::new();
            }
        };
        let mut generations = loaded.generations.as_slice();
        let mut found = HashMap::new();
        for (value, slot) in values.iter().zip(loaded.slots) {
            let (own, rest) = generations.split_at(value.plan.scopes.len().min(generations.len()));
            generations = rest;
            match judge_slot(&value.plan, slot, own).map(|live| live.decode()) {
                Ok(Ok(decoded)) => {
                    core.counters.store_hits.count();
                    found.insert(value.key.clone(), decoded);
                    continue;
                }
                Ok(Err(_)) => core.counters.undecodable.count(),
                Err(_) => {}
            }
            core.counters.misses.count();
        }
        found
    }

    /// Stores several values, each as [`set`](Self::set) would: two round trips each, one value after
    /// another.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set): those before the first error are stored, those after it are not.
    pub fn set_many<'a, T: Serialize + Sync + 'a>(
        &self,
        entries: impl IntoIterator<Item = (Key, &'a T)>,
    ) -> Request<Boxed<'a, Result<(), Error>>> {
        let sets: Vec<_> = entries.into_iter().map(|(key, value)| self.set(key, value)).collect();
        Request::new(Box::pin(async move {
            for set in sets {
                set.run().await?;
            }
            Ok(())
        }))
    }

    /// Deletes what is cached under these keys, in one round trip; answers how many records were
    /// there.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete); any part may be deleted.
    pub fn delete_many(
        &self,
        keys: impl IntoIterator<Item = Key>,
    ) -> Request<Boxed<'static, Result<usize, Error>>> {
        let values: Vec<_> = keys.into_iter().map(|key| self.value(key)).collect();
        let core = Arc::clone(self.core());
        Request::new(Box::pin(async move {
            if values.is_empty() {
                return Ok(0);
            }
            let keys: Vec<_> = values.iter().map(|value| value.stored.clone()).collect();
            values.iter().for_each(Value::changed_here);
            let deleted = core.ask("delete", core.store.delete(&keys)).await;
            values.iter().for_each(Value::changed_here);
            deleted
        }))
    }

    /// Forgets everything in this cache, of every version, for everyone; answers how many records
    /// were removed.
    ///
    /// Once it resolves nothing that was stored or is being computed is ever served again. That the
    /// store then failed to reclaim the room is no error: nothing is counted as removed, and it is
    /// left to expiry and culling. One round trip forgets it; what follows is a scan of the store.
    ///
    /// # Errors
    ///
    /// When the store did not take the invalidation; until it has, old values may be served.
    pub fn clear(&self) -> Request<Boxed<'static, Result<usize, Error>>> {
        let core = Arc::clone(self.core());
        Request::new(Box::pin(async move {
            let everything = core.scopes.everything().clone();
            core.invalidate(&[everything], Severity::Hard).await?;
            Ok(core.reclaim(&format!("{}:", core.prefix)).await)
        }))
    }

    /// Probes the store: reads a generation, and leases, saves, reads and deletes a record of its own.
    /// Six round trips; for when a program starts.
    ///
    /// # Errors
    ///
    /// The first thing that does not work, named; and what is wrong with the configuration, if there
    /// is no such cache.
    pub fn require(&self) -> Request<Boxed<'static, Result<(), Error>>> {
        let core = Arc::clone(self.core());
        Request::new(Box::pin(async move { super::probe::probe(&core).await }))
    }
}
