//! The S3 store: one object a key in a bucket that many machines share, written only under conditions.
//!
//! - A record and the lease on its key are one object, so each step is one conditional write: created
//!   with `If-None-Match: *`, taken over and completed with `If-Match`. A holder that comes late is
//!   refused by the server.
//! - No two bodies are equal, since an `ETag` follows contents only; see [`place::WriteId`].
//! - Times are the server's, told by the `Date` of its answers.
//! - Requests run on the crate's background runtime; a write is sent again only under the condition it
//!   was first sent with, after a look whether it took place.

mod address;
mod body;
mod builder;
mod client;
mod conditions;
mod connect;
mod content_md5;
mod fault;
mod inner;
mod lifecycle;
mod memory;
mod name;
mod operations;
mod patience;
mod place;
mod reads;
mod requests;
mod signed;
mod skew;
mod step;
mod sweep;
mod telltale;
mod tidy;
mod tokens;
mod turns;
mod unheeded;
mod waiters;

use std::sync::{Arc, Weak};
use std::time::Duration;

pub use self::address::S3Address;
pub use self::builder::S3StoreBuilder;
use self::inner::{Inner, operation};
pub use self::lifecycle::S3LifecycleRule;
pub use self::requests::S3Requests;
use self::sweep::Removes;
pub use self::sweep::S3Sweep;
use super::{
    Capabilities, Guard, HolderId, Incremented, LeaseToken, Leasing, Loaded, Page, Pending,
    Release, Severity, Sink, Store, StoredKey, Ttl,
};
use crate::clock::Moment;
use crate::record::{Generation, Life, Record, RecordId, Scope};

/// How long an operation may take, unless it is said otherwise.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a lease should last, unless it is said otherwise: each renewal is a request.
const LEASE: Duration = Duration::from_mins(1);

/// Records as objects in a bucket, shared by all machines that reach it: for answers that are large,
/// dear and long-lived.
///
/// Works with AWS and with S3-compatible servers that heed `If-None-Match` and `If-Match`. Whether
/// they do is found out by two writes, three the first time, before the first write of a process.
///
/// # Without preconditions
///
/// A server that ignores them is used without leases, and the log, [`Cache::require`](crate::Cache::require)
/// and [`shares_leases`](Self::shares_leases) say so:
///
/// - Each process computes for itself, once for all its callers; of several answers the last one
///   stored stays. Nobody waits for another process, or takes over from it.
/// - What is deleted or invalidated stays so, as everywhere: each key bears a generation of its own,
///   an object beside its record's, so that a late answer is dead on arrival, and needs no condition.
/// - Setting a value makes what was being computed before it void. Of two that set one key at once
///   both may be lost.
/// - Counting, and adding what nobody else has, are nothing without a condition, and fail with
///   [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
/// - Invalidating a scope softly makes what belongs to it missing, not stale.
/// - A look costs a small get more, and setting a value a small put.
///
/// Whoever changes whether a server heeds them restarts all processes that use it.
///
/// # Requests
///
/// They cost money: on AWS a `PutObject` and a `ListObjectsV2` about as much as twelve `GetObject`,
/// deletions nothing.
///
/// | what | requests |
/// |---|---|
/// | a hit, or any look | one get of the object and a small one for each scope, side by side |
/// | a call that computes | beyond its look two puts: lease and answer; for a scope nobody has used yet, a get and a put |
/// | a minute of computing | a get each third of the lease's time, and a put when half of it is over |
/// | a call that waits | two gets for the process, not the call, and one after 20 ms, 40 ms, … 1 s |
/// | a value that is set | one put; guarded by what was seen, a get if that was not lately |
/// | deleting a key | one small get and one delete |
/// | invalidating a scope | a small get and a put, however much belongs to it |
/// | counting, touching | one get and one put |
/// | clearing, purging | for each thousand objects a list and a delete, and a small get for each whose listing does not tell whether it has ended |
///
/// [Remembering generations](S3StoreBuilder::remember_generations) spares the small gets. There is no
/// near cache in front, since a bucket tells nobody what has changed.
///
/// # What is in the bucket
///
/// `records/`, `generations/` and `probe` in the store's folder. Records are named by their keys; if
/// encoded as JSON they are JSON documents that have the value in them. Versioning should be off:
/// every write would leave an old version behind.
///
/// ```no_run
/// use keyedcache::Cache;
/// use keyedcache::store::S3Store;
///
/// let store = S3Store::builder("reports").prefix("cache").region("eu-west-1").build()?;
/// let cache = Cache::builder().store(std::sync::Arc::new(store)).build()?;
/// cache.require().wait()?;
/// # Ok::<(), keyedcache::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct S3Store(Arc<Inner>);

impl S3Store {
    /// Settings of a store in this bucket, which must exist.
    pub fn builder(bucket: &str) -> S3StoreBuilder {
        S3StoreBuilder::new(bucket)
    }

    /// Settings of a store at this address.
    pub fn at(address: S3Address) -> S3StoreBuilder {
        address.builder()
    }

    /// How many requests it has sent, by operation.
    #[must_use]
    pub fn requests(&self) -> S3Requests {
        self.0.bucket.requests.snapshot()
    }

    /// Whether its leases are shared with other processes, as they are where the server heeds
    /// preconditions; `None` until that is known, at the first write that needs it.
    ///
    /// `false` is what [`Cache::require`](crate::Cache::require) fails with, and the log warns of: see
    /// [without preconditions](Self#without-preconditions).
    #[must_use]
    pub fn shares_leases(&self) -> Option<bool> {
        self.0.heeds.get().copied()
    }

    /// Removes every object whose time is over, of all caches in the store's folder; how far it came.
    ///
    /// Expired records are never served, and deleted when somebody comes across them; this is for
    /// those that nobody asks for any more. Goes page by page, tells `progress` after each, and costs
    /// a list and a delete for each thousand objects, and a small get for each whose listing does not
    /// tell whether it has ended. Where that may take a day, a [`lifecycle_rule`](Self::lifecycle_rule)
    /// costs nothing.
    ///
    /// # Errors
    ///
    /// When the server fails for longer than the operation timeout; what was removed stays so.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it goes on to the end of its sweep in the background.
    pub fn purge_expired(
        &self,
        mut progress: impl FnMut(S3Sweep) + Send + 'static,
    ) -> Pending<'_, S3Sweep> {
        operation(&self.0, move |inner| async move {
            let mut came = S3Sweep::default();
            let told = |sweep| {
                came = sweep;
                progress(sweep);
            };
            inner.sweep(String::new(), Removes::Ended, told).await?;
            Ok(came)
        })
    }
}

impl Store for S3Store {
    fn name(&self) -> &str {
        &self.0.bucket.settings.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            // Within this process at least: what the server is like is not known yet.
            leases: true,
            shared: true,
            max_record: Some(self.0.bucket.settings.max_record),
            lease: LEASE,
            store_timeout: self.0.bucket.settings.operation_timeout,
            ..Capabilities::new()
        }
    }

    /// The server's clock, as its answers have told it.
    fn now(&self) -> Moment {
        self.0.bucket.clock.now()
    }

    fn load<'a>(&'a self, keys: &'a [StoredKey], scopes: &'a [Scope]) -> Pending<'a, Loaded> {
        operation(&self.0, |inner| inner.load(keys.to_vec(), scopes.to_vec()))
    }

    fn save<'a>(
        &'a self,
        key: &'a StoredKey,
        record: Record,
        ttl: Ttl,
        guard: Guard,
        _: &'a [Scope],
    ) -> Pending<'a, bool> {
        operation(&self.0, move |inner| inner.save(key.clone(), record, ttl, guard))
    }

    fn delete<'a>(&'a self, keys: &'a [StoredKey]) -> Pending<'a, usize> {
        operation(&self.0, |inner| {
            let mut keys = keys.to_vec();
            keys.sort_unstable();
            keys.dedup();
            async move {
                let deleted = inner.side_by_side(keys, Inner::delete).await?;
                Ok(deleted.into_iter().filter(|was_there| *was_there).count())
            }
        })
    }

    fn lease<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Pending<'a, Leasing> {
        operation(&self.0, move |inner| inner.lease(key.clone(), token, ttl, seen))
    }

    fn renew<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        ttl: Duration,
    ) -> Pending<'a, bool> {
        operation(&self.0, move |inner| inner.renew(key.clone(), token, ttl))
    }

    fn release<'a>(
        &'a self,
        key: &'a StoredKey,
        token: LeaseToken,
        release: Release,
    ) -> Pending<'a, bool> {
        operation(&self.0, move |inner| inner.release(key.clone(), token, release))
    }

    fn changed<'a>(
        &'a self,
        key: &'a StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            Arc::clone(&self.0).wait_for_end(key.clone(), lease, at_most).await;
            Ok(())
        })
    }

    /// Does nothing: S3 tells nobody what changes.
    fn subscribe(&self, _: HolderId, _: Weak<dyn Sink>) {}

    /// Never: S3 tells nobody what changes.
    fn trusted(&self) -> bool {
        false
    }

    fn generations<'a>(&'a self, scopes: &'a [Scope]) -> Pending<'a, Vec<Generation>> {
        operation(&self.0, |inner| {
            let scopes = scopes.to_vec();
            inner.side_by_side(scopes, |inner, scope| async move {
                inner.create_generation(&scope).await
            })
        })
    }

    fn invalidate<'a>(&'a self, scopes: &'a [Scope], severity: Severity) -> Pending<'a, ()> {
        operation(&self.0, move |inner| {
            let scopes = scopes.to_vec();
            async move {
                let replace = move |inner: Arc<Inner>, scope: Scope| async move {
                    inner.replace_token(&scope, severity).await
                };
                inner.side_by_side(scopes, replace).await.map(|_| ())
            }
        })
    }

    fn touch<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        life: Life,
        _: &'a [Scope],
    ) -> Pending<'a, bool> {
        operation(&self.0, move |inner| inner.touch(key.clone(), seen, life))
    }

    fn increment<'a>(
        &'a self,
        key: &'a StoredKey,
        seen: RecordId,
        by: i64,
    ) -> Pending<'a, Incremented> {
        operation(&self.0, move |inner| inner.increment(key.clone(), seen, by))
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Page> {
        let from = from.map(str::to_owned);
        operation(&self.0, move |inner| inner.scan(prefix.to_owned(), from, limit))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Pending<'a, usize> {
        operation(&self.0, |inner| inner.sweep(prefix.to_owned(), Removes::All, |_| ()))
    }

    fn require(&self) -> Pending<'_, ()> {
        operation(&self.0, |inner| async move { inner.require_conditions().await })
    }
}
