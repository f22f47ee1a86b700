//! The operations of the store: what each reads, and what it asks of the writer.

use std::sync::Weak;
use std::time::Duration;

use super::memory::{remembered, remembering};
use super::queue::Request;
use super::{DiskStore, reader, writing};
use crate::clock::Moment;
use crate::error::Error;
use crate::record::{Generation, Life, Record, RecordId, Scope};
use crate::store::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page, Pending,
    Release, See, Severity, Sink, Store, StoredKey, Ttl,
};

/// How many records one step of a clear removes in one transaction.
const CLEARED_AT_ONCE: usize = 256;

/// The generations of how many scopes are shown; calls of more are loaded.
const SHOWN_SCOPES: usize = 8;

/// What a small entry is taken to need when room is made for it.
const SMALL: usize = 256;

impl Store for DiskStore {
    fn name(&self) -> &str {
        &self.opening.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            leases: true,
            pushes: true,
            shared: true,
            max_record: Some(self.max_record()),
            ..Capabilities::new()
        }
    }

    fn now(&self) -> Moment {
        self.opening.clock.now()
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        Box::pin(async move {
            let opening = &*self.opening;
            let (clock, scope_changes) = (&opening.clock, opening.ring.scope_changes());
            opening.read("load", |snapshot, tree| {
                remembering(opening, scope_changes, snapshot, tree, |mut snapshot| {
                    let mut loaded = Loaded {
                        slots: Vec::with_capacity(keys.len()),
                        generations: Vec::with_capacity(scopes.len()),
                    };
                    for key in keys {
                        loaded.slots.push(snapshot.slot(key, clock)?);
                    }
                    for scope in scopes {
                        loaded.generations.push(snapshot.generation(scope.id())?);
                    }
                    Ok(loaded)
                })
            })
        })
    }

    fn show(&self, key: &str, scopes: &[Scope], see: &mut See<'_>) -> bool {
        let mut generations = [None; SHOWN_SCOPES];
        let Some(generations) = generations.get_mut(..scopes.len()) else {
            return false;
        };
        let opening = &*self.opening;
        let scope_changes = opening.ring.scope_changes();
        let shown = opening.read("load", |snapshot, tree| {
            let entry = reader::entry(snapshot, tree, key)?;
            let Some(entry) = entry.filter(|entry| !opening.clock.has_come(entry.ends)) else {
                return Ok(false);
            };
            remembering(opening, scope_changes, snapshot, tree, |mut snapshot| {
                for (generation, scope) in generations.iter_mut().zip(scopes) {
                    *generation = snapshot.generation(scope.id())?;
                }
                Ok(())
            })?;
            see(entry.record, generations);
            Ok(true)
        });
        shown.unwrap_or(false) // what has failed, `load` tells
    }

    fn save<'a>(
        &'a self,
        key: &'a StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
        _: &'a [Scope], // generations are for ever
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            self.check_size(key, &record)?;
            let request = Request::storing("save", record.bytes().len() + SMALL);
            let key = key.clone();
            let save = move |writing: &mut writing::Writing<'_>| {
                writing.save(&key, &record, ttl, guard).map(Ok)
            };
            self.opening.write(request, save).await
        })
    }

    fn delete<'a>(&'a self, keys: &'a [StoredKey]) -> Pending<'a, usize> {
        Box::pin(async move {
            let keys = keys.to_vec();
            let request = Request::removing("delete", keys.len());
            let delete = move |writing: &mut writing::Writing<'_>| writing.delete(&keys).map(Ok);
            self.opening.write(request, delete).await
        })
    }

    fn lease<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Pending<'a, Leasing> {
        Box::pin(async move {
            self.check_key("lease", key)?;
            if let Some(refused) = self.refused_lease(key, token, seen)? {
                return Ok(refused);
            }
            let key = key.clone();
            let request = Request::storing("lease", SMALL);
            let lease = move |writing: &mut writing::Writing<'_>| {
                writing.lease(&key, token, ttl, seen).map(Ok)
            };
            self.opening.write(request, lease).await
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let key = key.clone();
            let request = Request::removing("renew", 1);
            let renew =
                move |writing: &mut writing::Writing<'_>| writing.renew(&key, token, ttl).map(Ok);
            self.opening.write(request, renew).await
        })
    }

    fn release<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let key = key.clone();
            let request = Request::removing("release", 1);
            let release = move |writing: &mut writing::Writing<'_>| {
                writing.release(&key, token, release).map(Ok)
            };
            self.opening.write(request, release).await
        })
    }

    fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()> {
        Box::pin(self.opening.changed(key, lease, at_most))
    }

    fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        self.opening.ring.subscribe(holder, sink);
    }

    /// Reads one number of the shared memory, and what has been changed if that has moved.
    fn trusted(&self) -> bool {
        let opening = &*self.opening;
        !opening.is_gone() && (opening.ring.is_told(opening) || opening.ring.tell(opening).is_ok())
    }

    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        Box::pin(async move {
            let opening = &*self.opening;
            opening.check("generations")?;
            if let Some(generations) = remembered(opening, scopes) {
                return Ok(generations);
            }
            let scope_changes = opening.ring.scope_changes();
            let found = opening.read("generations", |snapshot, tree| {
                remembering(opening, scope_changes, snapshot, tree, |mut snapshot| {
                    let stored = |scope: &Scope| snapshot.generation(scope.id());
                    scopes.iter().map(stored).collect::<heed::Result<Option<Vec<_>>>>()
                })
            })?;
            if let Some(generations) = found {
                return Ok(generations);
            }
            let scopes = scopes.to_vec();
            let request = Request::storing("generations", SMALL * scopes.len());
            let create =
                move |writing: &mut writing::Writing<'_>| writing.generations(&scopes).map(Ok);
            self.opening.write(request, create).await
        })
    }

    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()> {
        Box::pin(async move {
            let scopes = scopes.to_vec();
            let request = Request::removing("invalidate", scopes.len());
            let invalidate = move |writing: &mut writing::Writing<'_>| {
                writing.invalidate(&scopes, severity).map(Ok)
            };
            self.opening.write(request, invalidate).await
        })
    }

    fn touch<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        life: Life,
        _: &'a [Scope],
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let key = key.clone();
            // It copies the record, however large that is.
            let request = Request::storing("touch", SMALL).long();
            let touch = move |writing: &mut writing::Writing<'_>| writing.touch(&key, seen, life);
            self.opening.write(request, touch).await
        })
    }

    fn increment<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Pending<'a, Incremented> {
        Box::pin(async move {
            let key = key.clone();
            let request = Request::storing("increment", SMALL);
            let increment =
                move |writing: &mut writing::Writing<'_>| writing.increment(&key, seen, by);
            self.opening.write(request, increment).await
        })
    }

    /// Pages come in the order of the keys; `next` is the last key that was looked at.
    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Page> {
        Box::pin(async move {
            let now = self.opening.clock.now();
            self.opening.read("scan", |snapshot, tree| {
                reader::page(snapshot, tree, prefix, from, limit.max(1), now)
            })
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Pending<'a, usize> {
        Box::pin(async move {
            let mut cleared = 0;
            loop {
                let prefix = prefix.to_owned();
                let request = Request::removing("clear", CLEARED_AT_ONCE);
                let step = move |writing: &mut writing::Writing<'_>| {
                    writing.clear(&prefix, CLEARED_AT_ONCE).map(Ok)
                };
                let (removed, is_more) = self.opening.write(request, step).await?;
                cleared += removed;
                if !is_more {
                    return Ok(cleared);
                }
            }
        })
    }
}

impl DiskStore {
    /// The answer to a request for a lease, if it needs no writing.
    fn refused_lease(
        &self,
        key: &StoredKey,
        token: LeaseToken,
        seen: Option<RecordId>,
    ) -> Result<Option<Leasing>, Error> {
        let now = self.opening.clock.now();
        let (lease, slot) = self.opening.read("lease", |snapshot, tree| {
            let lease = reader::lease(snapshot, tree, key)?.filter(|lease| lease.stands(now));
            if lease.is_some() {
                return Ok((lease, None));
            }
            let record = reader::record(snapshot, tree, key, now)?;
            if record.map(|entry| Record::id_of(entry.record)) == seen {
                return Ok((None, None));
            }
            let slot = reader::slot(snapshot, tree, key, now)?;
            Ok((None, Some(slot)))
        })?;
        Ok(match (lease, slot) {
            (Some(lease), _) if lease.token == token => None,
            (Some(lease), _) if self.opening.owners.is_alive(lease.owner) => {
                Some(Leasing::Held { by: lease.token, remaining: lease.ends.since(now) })
            }
            (_, slot) => slot.map(Leasing::Changed),
        })
    }
}
