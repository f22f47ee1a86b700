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
//! | `server/` | one server: where it is, its connection, its signs of life; its replicas |
//! | `cluster/` `slots` | a cluster of them: who serves what, and how one gets there |
//! | `copies` | copies of the generations that everybody reads, over the slots of a cluster |
//! | `eras` | what generations count in, where a failover makes everything missing |
//! | `heartbeats` `clocks` | whether pushes are complete; the servers' clock |
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
//! - Servers tell a process of its own changes, too, but after the reply; the store does so before a
//!   request resolves or is given up.

mod address;
mod asking;
mod builder;
mod clocks;
mod cluster;
mod copies;
mod eras;
mod fault;
mod heartbeats;
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
mod slots;
mod waiters;
mod writing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::address::RedisAddress;
use self::builder::Settings;
pub use self::builder::{OnFailover, RedisStoreBuilder};
use self::cluster::Cluster;
use self::heartbeats::Heartbeats;
use self::link::Link;
use self::pushed::Pushed;
use self::sent::Sent;
use self::server::{Common, Server};

/// The largest record it takes.
const MAX_RECORD: usize = 64 << 20;

/// A Redis server, or a cluster, that processes and machines share. Redis 6.2 or newer.
///
/// # What it costs
///
/// | operation | round trips | commands |
/// |---|---|---|
/// | [`load`](crate::store::Store::load), a hit | 1 | `MGET` of record, lease and generations; counters one more |
/// | [`glance`](crate::store::Store::glance), a hit that is not kept near | 1 | the same; over a runtime's own [connection](#connections) of record and lease only, while no generation has changed |
/// | lease | 1 | a script |
/// | save: stores, publishes, and ends the lease | 1 | a script, and one a scope unless this process knows that the scope's generation lives as long |
/// | delete, touch (2), increment, invalidate | 1 | a script for each key or scope, sent together |
/// | waiting for another's lease | – | none: its end is pushed; a look and the lease again whenever its first time is over |
/// | signs of life | – | `TIME` and `INFO replication` each second |
///
/// Changes are pushed by [client tracking](https://redis.io/docs/latest/develop/reference/client-side-caching/)
/// over the connection that all requests of a process share. The server remembers who has read
/// what: `tracking-table-max-keys` (a million by default) should exceed twice the number of keys that
/// all processes read (a record and its lease are two, and a third is what a counter has beside it, or
/// what is waited for), or near caches lose entries early. A process is told of its own changes as well:
/// an answer that it has just saved is kept near only once it has been read. `SWAPDB` is the one change
/// that Redis tells nobody of: whoever uses it on a cache's database invalidates what is cached there.
///
/// # Connections
///
/// All requests of a process share one connection, which its background thread drives, but for reads
/// of what is not kept near as well (`near = 0`): a Tokio runtime that has awaited a few of these gets
/// a connection of its own for them, so that they need no other thread. Over it the server is asked to
/// tell when generations change (at most 4,096 are remembered at a time, each of which counts in its
/// tracking table), so that they are not read with each hit; records are not tracked for it. Where the
/// server is neither Redis nor Valkey, or does not let its user track, generations are read each time.
/// The connection ends with the runtime; what it leaves unanswered is read over the shared connection. At most 16 runtimes have one at a time. Who
/// [waits](crate::Request::wait) instead of awaiting, and whoever is in no runtime, uses the shared
/// connection. On a cluster, and with replicas that are read from, there is only that.
/// [`callers_runtimes`](RedisStoreBuilder::callers_runtimes) turns it off.
///
/// # What is in the server
///
/// A record under the stored key itself, its lease under `{key}:lease`, with `{key}:held` beside it for
/// those who wait, a scope's generation under
/// `{scope}:generation`. A counter stands as its number, so that `redis-cli GET` shows it, and its
/// header under `{key}:header`; `redis-cli INCR` on it counts too. All but what is kept for ever
/// have a time to live; generations at least a day.
///
/// # What can be lost
///
/// Replication is asynchronous: a primary that fails takes with it what its replicas have not seen,
/// and so does a server restarted from an older snapshot. A lost lease or record costs a second
/// execution. A lost invalidation would bring back what it struck: so each process sends again what
/// it invalidated and deleted in the minute before the server last answered, and since, when it finds
/// that the server's history is another.
/// What a process that has ended since had struck is not sent again. Who needs certainty says
/// [`OnFailover::Forget`]. A lost write (`cache_set`) is lost.
///
/// # Sentinels
///
/// Each time a connection is made, all sentinels are asked where the primary is; the newest
/// configuration counts, and the server that is found must say itself that it is a primary. While the
/// connection stands they are asked each second, over connections that are kept, so that a primary
/// that they have replaced and cannot reach is left too. Until there is a primary again, operations
/// fail at once.
///
/// # Replicas
///
/// With [`read_replicas`](RedisStoreBuilder::read_replicas) a read asks the primary for leases,
/// generations and the first 256 bytes of each record, and at the same time one of its replicas, in
/// turn, for the records. What the replica shows counts only if it is what the primary has now: so
/// reads are as current, and near caches as coherent, as without. It takes the bytes of large records
/// off the primary, and costs it a `GETRANGE` a record; where a replica lags behind what is read, a
/// second round trip. Which replicas there are the primary says with each sign of life; one that is
/// down, slow, or lags for more than 3 s, is passed over. Leases, generations and writes never go to
/// replicas.
///
/// # On a cluster
///
/// `redis+cluster://a,b` names some nodes of a [Redis Cluster], which tell where all are. One
/// connection leads to each primary, and one to each [replica](#replicas) if these are read from. What
/// belongs to one key is on one slot.
///
/// - The generations of the cache and of each function have 16 copies, on as many shares of the
///   slots, so that no node is asked by everybody: `{n}:{scope}:generation`. A hit is two commands on
///   the node of its record; two nodes are asked at once where their slots meet within a share. An
///   invalidation of these is 17 scripts, at once, and an error unless all were done.
/// - Slots that are moved are followed. While one is half-way, reads and what concerns one name go
///   on; saves, leases and deletions wait for it, no longer than the
///   [timeout](RedisStoreBuilder::timeout).
/// - A primary that does not answer takes its own slots with it, and near caches are off until it
///   does or a replica has taken over. That one is first told again what this process struck in the
///   last minute. After each change of who serves what, near caches start empty.
/// - With [`OnFailover::Forget`] everything is missing, wherever it is, once one primary was replaced by
///   a replica or started anew: who can ask that one anything finds nothing of before. Slots that are
///   moved forget nothing. It costs a key more in the `MGET` of a hit, a command more for each tag,
///   and 16 scripts every ten seconds.
/// - Ages are told by the middle one of the primaries' clocks.
///
/// [Redis Cluster]: https://redis.io/docs/latest/operate/oss_and_stack/management/scaling/
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
    timeout: Duration,
    link: Box<dyn Link>,
    pushed: Arc<Pushed>,
    sent: Arc<Sent>,
    beats: Arc<Heartbeats>,
    /// Whether there are [`copies`] of generations.
    has_copies: bool,
    on_failover: OnFailover,
}

impl RedisStore {
    /// Settings to change before it is built, for the server or servers of this URL:
    /// `redis://[user:password@]host[:port][,host…][/database]`, `rediss://…` for TLS, or
    /// `redis+unix:///path?db=0`; or, for the primary that sentinels know by a name,
    /// `redis+sentinel://[user:password@]sentinel[:26379][,other…]/name[/database]`, where user and
    /// password are for the servers; or `redis+cluster://…` and `rediss+cluster://…` for a cluster.
    ///
    /// Of several addresses the first that is a primary's is used; of a cluster, the first that
    /// answers says where all are.
    pub fn builder(url: &str) -> RedisStoreBuilder {
        RedisStoreBuilder::from_url(url)
    }

    /// The same for an address that has been read already.
    pub fn at(address: RedisAddress) -> RedisStoreBuilder {
        RedisStoreBuilder::new(Ok(address))
    }

    fn start(settings: Settings) -> Self {
        let name: Arc<str> = settings.address.to_string().into();
        let timeout = settings.timeout;
        let on_failover = settings.on_failover;
        let has_copies = settings.address.is_cluster();
        let beats = Arc::<Heartbeats>::default();
        let common = Common {
            name: Arc::clone(&name),
            pushed: Arc::default(),
            sent: Arc::new(Sent::new(has_copies, Arc::clone(&beats))),
            beats,
        };
        let Common { pushed, sent, beats, .. } = common.clone();
        let link: Box<dyn Link> = if settings.address.is_cluster() {
            Box::new(Cluster::start(settings, common))
        } else {
            Box::new(Server::start(settings, common, None))
        };
        Self { name, timeout, link, pushed, sent, beats, has_copies, on_failover }
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
