//! The contract of a store: a place for records that answers by key.
//!
//! A store knows stored keys, records (opaque), leases, and generations. It never sees values,
//! codecs, policies or the cache. What an implementor writes is [`Store`]; that it is written right
//! is shown by the `keyedcache-conformance` suite, one test a behaviour.
//!
//! Rules for every operation:
//!
//! - An operation whose outcome is unknown fails with [`ErrorKind::OutcomeUnknown`]; a store resends
//!   only reads, deletes, invalidations, and what a token guards.
//! - Nothing here waits for another holder, except [`Store::changed`].
//! - Dropping a returned future leaves the operation either done or not done, never half done.
//!
//! [`ErrorKind::OutcomeUnknown`]: crate::ErrorKind::OutcomeUnknown

mod audience;
pub(crate) mod broken;
mod capabilities;
#[cfg(feature = "disk")]
mod disk;
mod memory;
mod null;
pub(crate) mod percent;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
mod sharded;
mod stored_key;

#[cfg(feature = "redis")]
pub use self::redis::{OnFailover, RedisAddress, RedisStore, RedisStoreBuilder};
pub use capabilities::Capabilities;
#[cfg(feature = "disk")]
pub use disk::{DiskStore, DiskStoreBuilder};
pub use memory::{MemoryStore, MemoryStoreBuilder};
pub use null::NullStore;
#[cfg(feature = "s3")]
pub use s3::{S3Address, S3LifecycleRule, S3Requests, S3Store, S3StoreBuilder, S3Sweep};
pub use sharded::{ShardedStore, ShardedStoreBuilder};
pub use stored_key::{KeyDigest, StoredKey};

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Weak;
use std::time::Duration;

use crate::Moment;
use crate::error::Error;
use crate::record::{Generation, Life, Record, RecordId, Scope, ScopeId, random_bytes};

/// What every operation of a store returns.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Who asks: 64 random bits for each cache handle of each process, the first half of its lease
/// tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HolderId(pub u64);

impl HolderId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(u64::from_le_bytes(random_bytes()))
    }
}

/// Names one lease: who holds it, what tells its leases apart, and a digest of the generations it
/// computes under, so that a caller that knows newer ones does not wait for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LeaseToken {
    /// The holder.
    pub holder: HolderId,
    /// 32 random bits.
    pub nonce: u32,
    /// 32 bits that stand for the generations; opaque to a store.
    pub generations: u32,
}

impl LeaseToken {
    /// A new one of `holder`.
    #[must_use]
    pub fn random(holder: HolderId) -> Self {
        Self { holder, nonce: u32::from_le_bytes(random_bytes()), generations: 0 }
    }

    /// The same for what is computed under these generations.
    #[must_use]
    pub fn under(self, generations: u32) -> Self {
        Self { generations, ..self }
    }

    /// Its 16 bytes, holder first.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.holder.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.nonce.to_le_bytes());
        bytes[12..].copy_from_slice(&self.generations.to_le_bytes());
        bytes
    }

    /// The token of 16 bytes that [`to_bytes`](Self::to_bytes) made.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let all = u128::from_le_bytes(bytes);
        #[allow(clippy::cast_possible_truncation)] // each takes its own bits
        Self {
            holder: HolderId(all as u64),
            nonce: (all >> 64) as u32,
            generations: (all >> 96) as u32,
        }
    }
}

/// How long a store keeps a record; `None` is for ever. Zero is never asked for.
pub type Ttl = Option<Duration>;

/// What must be so for a save to take place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Guard {
    /// Nothing.
    Always,
    /// What is stored is still this record; with `None`, nothing is stored.
    Seen(Option<RecordId>),
    /// This lease still stands. Saving ends it.
    Lease(LeaseToken),
}

/// What stands under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The record, if one is there and the store's time for it is not over.
    pub record: Option<Record>,
    /// The lease that stands, if any.
    pub lease: Option<LeaseToken>,
    /// Whether a holder released its lease within the last [`DECLINED_FOR`] saying that its answer
    /// is not to be stored, and nothing has been saved or deleted since.
    pub declined: bool,
}

/// How long a store remembers that a lease ended with an answer that is not to be stored.
pub const DECLINED_FOR: Duration = Duration::from_secs(1);

/// What [`Store::load`] found, in the order asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// One for each key.
    pub slots: Vec<Slot>,
    /// One for each scope; `None` where the store has none, which means: everything stamped with it
    /// is missing.
    pub generations: Vec<Option<Generation>>,
}

/// Who looks at what a store [shows](Store::show): the bytes of a record, and a generation for each
/// scope, as in [`Loaded`].
pub type See<'a> = dyn FnMut(&[u8], &[Option<Generation>]) + 'a;

/// The answer to a request for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leasing {
    /// The token holds the lease now.
    Granted,
    /// Another holds it.
    Held {
        /// Who.
        by: LeaseToken,
        /// For how long still, unless it is renewed.
        remaining: Duration,
    },
    /// The record is not the one that was seen; this is what stands there.
    Changed(Slot),
}

/// Why a lease is given back without a save.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Release {
    /// Nothing was computed: the next one should take over.
    Abandoned,
    /// The answer is not to be stored: those who wait should compute side by side.
    Declined,
}

/// How hard an invalidation strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// What was stored is missing.
    Hard,
    /// What was stored is stale: served while one caller refreshes it.
    Soft,
}

/// The answer to [`Store::increment`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incremented {
    /// The sum that is stored now.
    Sum(i64),
    /// The record is not the one that was seen; nothing was changed.
    Changed(Slot),
}

/// One page of [`Store::scan`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys that start with the prefix. A key may come twice, none that stood all the while is
    /// missed.
    pub keys: Vec<StoredKey>,
    /// What to pass to get the next page; `None` at the end.
    pub next: Option<String>,
}

/// Who is told of pushed changes: the near cache in front of a store, and those who wait.
///
/// Calls come from any thread and must return at once.
pub trait Sink: Send + Sync {
    /// The record under this key has been saved, touched, incremented or deleted.
    fn key_changed(&self, key: KeyDigest);

    /// This scope has been invalidated.
    fn scope_changed(&self, scope: ScopeId);

    /// Changes may have been missed: nothing that was heard before can be trusted.
    fn lost(&self);
}

/// A place for records that answers by key.
pub trait Store: fmt::Debug + Send + Sync {
    /// What it is called in messages: its kind and place, without secrets (`disk:/var/cache/app`).
    fn name(&self) -> &str;

    /// What it can do. Asked once, when a cache is built.
    fn capabilities(&self) -> Capabilities;

    /// Its clock: what the ages of its records are measured by.
    fn now(&self) -> Moment;

    /// What stands under each key, and the generation of each scope.
    ///
    /// - The answer reflects everything acknowledged before the call.
    /// - A record whose time is over is not returned; nor is a lease whose time is over.
    /// - One round trip, or one for each node in parallel.
    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded>;

    /// What [`load`](Self::load) would find, for a caller that keeps none of it: later changes need
    /// not be told on account of this, nor earlier ones before its answer. It is `load` unless
    /// overridden.
    ///
    /// A store that is reached over a network may take a shorter way than the one on which it is told
    /// of changes.
    fn glance<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        self.load(keys, scopes)
    }

    /// Shows the record that [`load`](Self::load) would find under the stored key of this text, and
    /// the generation of each scope, where that takes neither waiting nor copying; says whether it
    /// did.
    ///
    /// Of what it does not show `load` is asked: a store that answers over a network, or finds no
    /// record, or fails, shows nothing, as by default. What is shown is worth as much as what `load`
    /// returns. `see` returns soon and asks no store: it may be called within a transaction.
    fn show(&self, key: &str, scopes: &[Scope], see: &mut See<'_>) -> bool {
        let _ = (key, scopes, see);
        false
    }

    /// Stores a record if the guard holds; says whether it did.
    ///
    /// - With [`Guard::Lease`], ends the lease in the same step. With the others, takes away
    ///   whatever lease stands on the key.
    /// - A record that cannot be stored (too large, no room) is an error and leaves what was there.
    /// - `scopes` are those it is stamped with. A store that keeps generations for a limited time
    ///   keeps these as long as the record; one that keeps them for ever has no use for it.
    fn save<'a>(
        &'a self,
        key: &'a StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
        scopes: &'a [Scope],
    ) -> Pending<'a, bool>;

    /// Deletes records and takes the leases on their keys away; says how many records were there.
    ///
    /// A key without a record loses its lease all the same.
    fn delete<'a>(&'a self, keys: &'a [StoredKey]) -> Pending<'a, usize>;

    /// Asks for the right to compute and save one key, for `ttl`.
    ///
    /// - [`Granted`](Leasing::Granted) if the record is still the one `seen` (or both are absent)
    ///   and no lease stands, or the same token asks again.
    /// - [`Held`](Leasing::Held) if another lease stands, whatever the record.
    /// - [`Changed`](Leasing::Changed) if the record is another one.
    fn lease<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Pending<'a, Leasing>;

    /// Lets a lease last `ttl` from now; `false` if this token does not hold it.
    fn renew<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Pending<'a, bool>;

    /// Gives a lease back; `false`, and nothing changes, if this token does not hold it.
    fn release<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Pending<'a, bool>;

    /// Returns when `lease` no longer stands on the key, or after `at_most`.
    ///
    /// May return early, as may any wake-up: the caller reads again. At once if the lease does not
    /// stand. Notices a holder's death as early as the store can.
    fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()>;

    /// Tells `sink` of changes from now on, while it lives.
    ///
    /// Every change of a record or a scope by anyone is told, but for saves under a lease of
    /// `holder`. A change is told before the operation that made it resolves in this process, and
    /// before [`trusted`](Self::trusted) next returns `true` when another process made it; of a store
    /// that is reached over a network, before the next answer to a load that was asked for after the
    /// change was acknowledged.
    fn subscribe(&self, holder: HolderId, sink: Weak<dyn Sink>);

    /// Whether every change so far has been told to the sinks. Asked before each near hit, so it
    /// must cost nanoseconds; it may do the telling.
    fn trusted(&self) -> bool;

    /// The same, for one who has just read the system's clock, coarsely: a store that needs it need
    /// not read it again. Unless given, asks [`trusted`](Self::trusted).
    fn trusted_at(&self, now: Moment) -> bool {
        let _ = now;
        self.trusted()
    }

    /// The generation of each scope; absent ones are created. Of two that create one, the stored
    /// one wins.
    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>>;

    /// The scopes to name in place of these, in their order, where a record under `key` is concerned:
    /// in [`load`](Self::load), [`generations`](Self::generations), [`save`](Self::save) and
    /// [`touch`](Self::touch). These themselves unless overridden.
    ///
    /// A store on many servers may keep copies of generations that everybody reads, each of them a
    /// scope to the store and none to anybody else: an [`invalidate`](Self::invalidate) of the scope
    /// itself strikes every copy, and sinks hear of the scope itself. Who never asks here names the
    /// scopes themselves all the time, which is right too, and costs that everybody asks one server.
    fn scopes_for<'a>(&self, key: &StoredKey, scopes: &'a [Scope]) -> Cow<'a, [Scope]> {
        let _ = key;
        Cow::Borrowed(scopes)
    }

    /// Lets the generations of these scopes live for at least `ttl` from now on.
    ///
    /// For records that are stored elsewhere: a [`save`](Self::save) and a [`touch`](Self::touch) do
    /// it for the scopes they name. Creates none. Does nothing unless overridden, which a store that
    /// keeps generations for a limited time must.
    fn keep<'a>(&'a self, scopes: &'a [Scope], ttl: Ttl) -> Pending<'a, ()> {
        let _ = (scopes, ttl);
        Box::pin(std::future::ready(Ok(())))
    }

    /// Replaces the hard or the soft token of each scope.
    ///
    /// After `Ok`, every scope bears another token, for everyone. After an error, any of them may.
    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()>;

    /// Gives a record another life if it is still the one `seen`; says whether it did.
    ///
    /// The record keeps its id. Takes no lease away. `scopes` as of [`save`](Self::save).
    fn touch<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        life: Life,
        scopes: &'a [Scope],
    ) -> Pending<'a, bool>;

    /// Adds to a counter if its record is still the one `seen`; atomic, and keeps its life and id.
    ///
    /// Of any number of simultaneous increments of one `seen`, all take place.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotACounter`](crate::ErrorKind::NotACounter) if the record is not a counter or
    /// the sum does not fit; nothing is changed.
    fn increment<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Pending<'a, Incremented>;

    /// One page of the keys that start with `prefix`, about `limit` of them; `from` is the last
    /// page's `next`. Records only: never leases, never generations.
    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Page>;

    /// Deletes the records whose keys start with `prefix`, and nothing else, in bounded steps; says
    /// how many there were.
    ///
    /// Only reclaims room: what must be missing has been invalidated before.
    fn clear<'a>(&'a self, prefix: &'a str) -> Pending<'a, usize>;

    /// An error if something it promises cannot be kept where it stands. Asked when a cache is
    /// [required](crate::Cache::require).
    fn require(&self) -> Pending<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
