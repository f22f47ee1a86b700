//! The memory store: records as bytes in this process, and the model of what a store does.
//!
//! - A key lives in one of several shards, each behind one lock that no operation holds while it
//!   waits, wakes or tells.
//! - Every operation takes place within one poll, so dropping its future leaves nothing half done.

mod builder;
mod shard;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Weak;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

pub use self::builder::MemoryStoreBuilder;
use self::shard::Shard;
use super::audience::Audience;
use super::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page, Pending,
    Release, Severity, Sink, Store, StoredKey, Ttl,
};
use crate::clock::{Clock, Moment};
use crate::record::Life;
use crate::record::{Generation, GenerationToken, Record, RecordId, Scope, ScopeId};
use crate::runtime::timeout;

/// How often one who waits looks at a manual clock, which wakes nobody when it is moved.
const MANUAL_CLOCK_LOOK: Duration = Duration::from_millis(5);

/// How many records one step of a clear removes under the lock.
const CLEARED_AT_ONCE: usize = 256;

/// Records in this process, as bytes; gone when it ends.
///
/// It can do all that stores can, but share: leases, pushed changes, culling. When it is full it
/// removes what has expired, then what was saved longest ago. Leases and generations are kept
/// outside its bounds: a generation takes some 80 bytes for as long as the store lives.
///
/// With a [manual clock](Clock::manual), the times of records and leases follow that clock; those
/// who wait for a lease look at it every 5 ms, since moving it wakes nobody.
///
/// ```
/// use keyedcache::store::{MemoryStore, Store};
///
/// let store = MemoryStore::builder().max_bytes(16 << 20).build()?;
/// assert_eq!(store.name(), "memory");
/// # Ok::<(), keyedcache::Error>(())
/// ```
pub struct MemoryStore {
    clock: Clock,
    max_record: usize,
    shards: Vec<Mutex<Shard>>,
    generations: RwLock<HashMap<ScopeId, Generation>>,
    audience: Audience,
}

impl MemoryStore {
    /// An empty store with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().assemble()
    }

    /// Settings to change before it is built.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::default()
    }

    #[allow(clippy::cast_possible_truncation)] // any bits of the digest spread the keys
    fn shard(&self, key: &StoredKey) -> &Mutex<Shard> {
        &self.shards[key.digest().0 as usize % self.shards.len()]
    }

    fn tell_key(&self, key: &StoredKey, except: Option<HolderId>) {
        self.audience.tell(except, |sink| sink.key_changed(key.digest()));
    }

    /// Waits for the lease's own end, for being told of an earlier one, or for the clock to be
    /// looked at again.
    async fn wait_for_end(&self, key: &StoredKey, lease: LeaseToken, at_most: Duration) {
        let (start, started) = (Instant::now(), self.clock.now());
        loop {
            let ended = {
                let shard = self.shard(key).lock();
                let standing = shard.standing(key, lease, self.clock.now());
                // Registered under the lock: an end that comes after it is not missed.
                standing.map(|(remaining, over)| {
                    let mut told = Box::pin(over.notified_owned());
                    told.as_mut().enable();
                    (remaining, told)
                })
            };
            let Some((remaining, told)) = ended else {
                return;
            };
            let passed = start.elapsed().max(self.clock.now().since(started));
            let Some(left) = at_most.checked_sub(passed).filter(|left| !left.is_zero()) else {
                return;
            };
            let mut pause = remaining.min(left);
            if self.clock.is_manual() {
                pause = pause.min(MANUAL_CLOCK_LOOK);
            }
            if timeout(pause, told).await.is_some() {
                return;
            }
        }
    }

    /// Removes one step's records; says how many, and where to go on.
    fn clear_step(&self, shard: &Mutex<Shard>, prefix: &str, from: Option<&str>) -> Step {
        let now = self.clock.now();
        let mut shard = shard.lock();
        let mut keys = shard.keys(prefix, from, CLEARED_AT_ONCE, now);
        let next = keys.last().cloned();
        keys.retain(|key| shard.clear(key, now));
        Step { cleared: keys, next }
    }
}

struct Step {
    cleared: Vec<StoredKey>,
    next: Option<StoredKey>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("clock", &self.clock)
            .field("max_record", &self.max_record)
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        let max_record = Some(self.max_record);
        Capabilities { leases: true, pushes: true, max_record, ..Capabilities::new() }
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        Box::pin(async move {
            let now = self.clock.now();
            let slots = keys.iter().map(|key| self.shard(key).lock().view(key, now)).collect();
            let generations = self.generations.read();
            let generations =
                scopes.iter().map(|scope| generations.get(&scope.id()).copied()).collect();
            Ok(Loaded { slots, generations })
        })
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
            let now = self.clock.now();
            let (saved, ended) = self.shard(key).lock().save(key, record, ttl, guard, now)?;
            if saved {
                let own = match guard {
                    Guard::Lease(token) => Some(token.holder),
                    Guard::Always | Guard::Seen(_) => None,
                };
                self.tell_key(key, own);
            }
            ended.announce();
            Ok(saved)
        })
    }

    fn delete<'a>(&'a self, keys: &'a [StoredKey]) -> Pending<'a, usize> {
        Box::pin(async move {
            let now = self.clock.now();
            let mut deleted = 0;
            for key in keys {
                let (was_there, ended) = self.shard(key).lock().delete(key, now);
                if was_there {
                    deleted += 1;
                    self.tell_key(key, None);
                }
                ended.announce();
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
        Box::pin(async move {
            let now = self.clock.now();
            Ok(self.shard(key).lock().lease(key, token, ttl, seen, now))
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let now = self.clock.now();
            Ok(self.shard(key).lock().renew(key, token, ttl, now))
        })
    }

    fn release<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            let now = self.clock.now();
            let (released, ended) = self.shard(key).lock().release(key, token, release, now);
            ended.announce();
            Ok(released)
        })
    }

    fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            self.wait_for_end(key, lease, at_most).await;
            Ok(())
        })
    }

    fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        self.audience.admit(holder, sink);
    }

    /// Always: nobody else can change what is in this process, and every change is told as it is
    /// made.
    fn trusted(&self) -> bool {
        true
    }

    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        Box::pin(async move {
            let mut generations = self.generations.write();
            Ok(scopes
                .iter()
                .map(|scope| *generations.entry(scope.id()).or_insert_with(Generation::random))
                .collect())
        })
    }

    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()> {
        Box::pin(async move {
            for scope in scopes {
                let token = GenerationToken::random();
                {
                    let mut generations = self.generations.write();
                    let generation =
                        generations.entry(scope.id()).or_insert_with(Generation::random);
                    match severity {
                        Severity::Hard => generation.hard = token,
                        Severity::Soft => generation.soft = token,
                    }
                }
                self.audience.tell(None, |sink| sink.scope_changed(scope.id()));
            }
            Ok(())
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
            let now = self.clock.now();
            let touched = self.shard(key).lock().touch(key, seen, life, now)?;
            if touched {
                self.tell_key(key, None);
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
            let now = self.clock.now();
            let incremented = self.shard(key).lock().increment(key, seen, by, now)?;
            if matches!(incremented, Incremented::Sum(_)) {
                self.tell_key(key, None);
            }
            Ok(incremented)
        })
    }

    /// Pages come in the order of the keys; `next` is the last key of the page.
    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Page> {
        Box::pin(async move {
            let now = self.clock.now();
            let limit = limit.max(1);
            let mut keys: Vec<_> = self
                .shards
                .iter()
                .flat_map(|shard| shard.lock().keys(prefix, from, limit, now))
                .collect();
            keys.sort_unstable();
            keys.truncate(limit);
            let full = keys.len() == limit;
            let next = keys.last().filter(|_| full).map(|key| key.as_str().to_owned());
            Ok(Page { keys, next })
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Pending<'a, usize> {
        Box::pin(async move {
            let mut cleared = 0;
            for shard in &self.shards {
                let mut from: Option<StoredKey> = None;
                loop {
                    let step = self.clear_step(shard, prefix, from.as_ref().map(StoredKey::as_str));
                    cleared += step.cleared.len();
                    step.cleared.iter().for_each(|key| self.tell_key(key, None));
                    from = step.next;
                    if from.is_none() {
                        break;
                    }
                }
            }
            Ok(cleared)
        })
    }
}
