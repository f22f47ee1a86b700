//! The Redis store: records, leases and generations on a server that processes and machines share.
//!
//! | file | owns |
//! |---|---|
//! | `builder` `address` | settings; where servers are |
//! | `operations` | what each operation of the contract sends, and who is told |
//! | `reading` `writing` `leasing` `keeping` | how: records; guards; waiting; generations and their lives |
//! | `asking` | sending calls and taking replies apart |
//! | `names` `records` | what the store's keys are called; how records and counters stand under them |
//! | `script` `scripts/` | what is done in one step |
//! | `link` | the seam: what one server, a cluster or sentinels have in common |
//! | `server/` | one server: its connection, its signs of life |
//! | `trust` | whether pushes are complete; the server's clock |
//! | `pushed` `waiters` | who is told of changes; who waits for a lease |
//! | `lives` `sent` | what this process remembers: how long generations live, what it invalidated |
//! | `fault` | errors |
//!
//! Invariants:
//!
//! - Each multi-step operation is one script. What is of another type under one of the store's names
//!   is absent, and is overwritten.
//! - Whoever will keep near what a script wrote has the script read it last: on Redis, a write ends
//!   the writer's own registration for pushes.
//! - Servers do not tell a process of its own changes; the store does, before a request resolves or
//!   is given up.

mod address;
mod asking;
mod builder;
mod fault;
mod keeping;
mod leasing;
mod link;
mod lives;
mod names;
mod operations;
mod pushed;
mod reading;
mod records;
mod script;
mod sent;
mod server;
mod trust;
mod waiters;
mod writing;

use std::fmt;
use std::sync::Arc;

pub use self::address::RedisAddress;
use self::builder::Settings;
pub use self::builder::{OnFailover, RedisStoreBuilder};
use self::link::Link;
use self::pushed::Pushed;
use self::sent::Sent;
use self::server::Server;

/// The largest record it takes.
const MAX_RECORD: usize = 64 << 20;

/// A Redis server that processes and machines share. Redis 6.2 or newer.
///
/// # What it costs
///
/// | operation | round trips | commands |
/// |---|---|---|
/// | [`load`](crate::store::Store::load), a hit | 1 | `MGET` of record, lease and generations; counters one more |
/// | lease | 1 | a script |
/// | save: stores, publishes, and ends the lease | 1 | a script, and one a scope whenever the scope's generation would not live as long |
/// | delete, touch (2), increment, invalidate | 1 | a script for each key or scope, sent together |
/// | waiting for another's lease | – | none; 1 for each renewal |
/// | signs of life | – | `TIME` and `INFO replication` each second |
///
/// Changes are pushed by [client tracking](https://redis.io/docs/latest/develop/reference/client-side-caching/)
/// over the one connection that all requests of a process share. The server remembers who has read
/// what: `tracking-table-max-keys` (a million by default) should exceed twice the number of keys
/// that are read, or near caches lose entries early.
///
/// # What is in the server
///
/// A record under the stored key itself, its lease under `{key}:lease`, a scope's generation under
/// `{scope}:generation`. A counter stands as its number, so that `redis-cli GET` shows it, and its
/// header under `{key}:header`; `redis-cli INCR` on it counts too. All but what is kept for ever
/// have a time to live; generations at least a day.
///
/// # What can be lost
///
/// Replication is asynchronous: a primary that fails takes with it what its replicas have not seen,
/// and so does a server restarted from an older snapshot. A lost lease or record costs a second
/// execution. A lost invalidation would bring back what it struck: so each process sends again what
/// it invalidated and deleted in the last minute when it finds that the server's history is another.
/// What a process that has ended since had struck is not sent again. Who needs certainty says
/// [`OnFailover::Forget`]. A lost write (`cache_set`) is lost.
///
/// # Memory
///
/// Set `maxmemory`, and `maxmemory-policy` to `allkeys-lru`, `allkeys-lfu` or one of `volatile-*`.
/// An evicted record is a miss; an evicted lease may add an execution; an evicted generation makes
/// all that is stamped with it missing. With `noeviction` a full server takes no more saves and
/// grants no leases; reads, deletions and invalidations still work.
///
/// ```no_run
/// use keyedcache::store::{RedisStore, Store};
///
/// let store = RedisStore::builder("redis://localhost:6379/0").build()?;
/// assert_eq!(store.name(), "redis://localhost:6379/0");
/// # Ok::<(), keyedcache::Error>(())
/// ```
pub struct RedisStore {
    name: Arc<str>,
    link: Box<dyn Link>,
    pushed: Arc<Pushed>,
    sent: Arc<Sent>,
    on_failover: OnFailover,
}

impl RedisStore {
    /// Settings to change before it is built, for the server or servers of this URL:
    /// `redis://[user:password@]host[:port][,host…][/database]`, `rediss://…` for TLS, or
    /// `redis+unix:///path?db=0`.
    ///
    /// Of several addresses the first that is a primary's is used.
    pub fn builder(url: &str) -> RedisStoreBuilder {
        RedisStoreBuilder::from_url(url)
    }

    /// The same for an address that has been read already.
    pub fn at(address: RedisAddress) -> RedisStoreBuilder {
        RedisStoreBuilder::new(Ok(address))
    }

    fn start(settings: Settings) -> Self {
        let name: Arc<str> = settings.address.to_string().into();
        let (pushed, sent) = (Arc::<Pushed>::default(), Arc::<Sent>::default());
        let on_failover = settings.on_failover;
        let server =
            Server::start(settings, Arc::clone(&name), Arc::clone(&pushed), Arc::clone(&sent));
        Self { name, link: Box::new(server), pushed, sent, on_failover }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("name", &self.name)
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
