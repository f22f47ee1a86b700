//! Records that are read from replicas: what that saves the primary, and that it makes nothing stale.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use keyedcache::record::{Header, Life, Record, Scope, ScopeId};
use keyedcache::store::{
    Guard, HolderId, KeyDigest, RedisStore, RedisStoreBuilder, Severity, Sink, Store,
};
use keyedcache::{Cache, Moment, cache_key};
use keyedcache_tests::drive::wait;
use keyedcache_tests::proxy::Proxy;
use keyedcache_tests::redis::{Options, Server};
use keyedcache_tests::stored::{HOUR, key, record, save, slot};
use keyedcache_tests::watchdog::wait_until;

const LARGE: usize = 20_000;

/// A primary, and a replica whose replication goes through a proxy: while that is silent the primary
/// does not notice, and the replica goes on to show what it has.
struct Pair {
    primary: Server,
    between: Proxy,
    replica: Server,
}

impl Pair {
    fn start() -> Self {
        let primary = Server::start();
        let between = Proxy::to(&primary.address());
        let port = between.address();
        let port = port.rsplit(':').next().expect("it has a port");
        let replica = Options::new().directive(&format!("replicaof 127.0.0.1 {port}")).start();
        let pair = Self { primary, between, replica };
        wait_until("a replica", || pair.replica.info("replication")["master_link_status"] == "up");
        pair
    }

    fn in_step(&self) {
        let offset = self.primary.info("replication")["master_repl_offset"].clone();
        let offset: u64 = offset.parse().expect("offsets are numbers");
        wait_until("a replica in step", || {
            let there = self.replica.info("replication")["slave_repl_offset"].clone();
            there.parse::<u64>().expect("offsets are numbers") >= offset
        });
    }

    fn builder(&self) -> RedisStoreBuilder {
        let store = RedisStore::builder(&self.primary.url()).read_replicas(true);
        store.timeout(Duration::from_secs(8)).connect_timeout(Duration::from_secs(5))
    }

    /// A store that reads from the replica.
    fn open(&self) -> RedisStore {
        self.opened(self.builder())
    }

    fn opened(&self, builder: RedisStoreBuilder) -> RedisStore {
        let store = builder.build().expect("the URL is right");
        wait_until("a connection", || store.trusted());
        let before = self.asked();
        wait_until("a connection to the replica", || {
            slot(&store, "any").is_ok() && self.asked() > before
        });
        store
    }

    /// A store that knows the primary only.
    fn stranger(&self) -> RedisStore {
        let store = RedisStore::builder(&self.primary.url()).timeout(Duration::from_secs(8));
        let store = store.build().expect("the URL is right");
        wait_until("a connection", || store.trusted());
        store
    }

    /// How often the replica has been asked for records.
    fn asked(&self) -> u64 {
        self.replica.calls().get("mget").copied().unwrap_or_default()
    }
}

#[test]
fn large_records_come_from_the_replica() {
    let pair = Pair::start();
    let store = pair.open();
    save(&store, "k", record(1, LARGE)).unwrap();
    pair.in_step();
    pair.primary.reset_calls();
    pair.replica.reset_calls();
    for _ in 0..50 {
        assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, LARGE)));
    }
    assert_eq!(pair.asked(), 50);
    let calls = pair.primary.calls();
    assert_eq!((calls["getrange"], calls["mget"]), (50, 50), "leases and first bytes");
    let sent: usize = pair.primary.info("stats")["total_net_output_bytes"].parse().unwrap();
    assert!(sent < 10 * LARGE, "{sent} bytes");
    let replicas = pair.replica.calls();
    assert!(["eval", "evalsha", "set"].iter().all(|name| !replicas.contains_key(*name)));
}

#[test]
fn records_of_every_size_and_kind_are_read_whole() {
    let pair = Pair::start();
    let store = pair.open();
    let empty = Record::from_bytes(bytes::Bytes::new());
    let counter = Record::counter(Header::new(Moment::from_micros(7)), 12).unwrap();
    let sizes = [32, 255, 256, 257, LARGE].map(|size| record(size as u64, size));
    for (n, saved) in sizes.into_iter().chain([empty.clone(), counter]).enumerate() {
        let name = format!("k{n}");
        save(&store, &name, saved.clone()).unwrap();
        let at_once = slot(&store, &name).unwrap().record;
        // An empty text, which is no record, counts as nothing until the replica has it too.
        let is_late = saved == empty && at_once.is_none();
        assert!(is_late || at_once.as_ref() == Some(&saved), "at once, {n}: {at_once:?}");
        pair.in_step();
        assert_eq!(slot(&store, &name).unwrap().record, Some(saved), "later, {n}");
    }
    pair.primary.command(&["RPUSH", "list", "foreign"]);
    pair.in_step();
    assert_eq!(slot(&store, "list").unwrap().record, None);
    let loaded = wait(store.load(&[key("k4"), key("none"), key("list"), key("k0")], &[])).unwrap();
    let there: Vec<_> = loaded.slots.iter().map(|slot| slot.record.is_some()).collect();
    assert_eq!(there, [true, false, false, true]);
}

#[test]
fn what_only_the_replica_still_has_is_not_served() {
    let pair = Pair::start();
    let (store, stranger) = (pair.open(), pair.stranger());
    let scope = Scope::new("app::everything");
    let scopes = std::slice::from_ref(&scope);
    let before = wait(stranger.generations(scopes)).unwrap();
    let touched = Record::new(&Header::new(store.now()), &vec![7; LARGE]).unwrap();
    for name in ["deleted", "replaced", "kept"] {
        save(&stranger, name, record(1, LARGE)).unwrap();
    }
    wait(stranger.save(&key("touched"), touched.clone(), Some(HOUR), Guard::Always, &[])).unwrap();
    pair.in_step();

    pair.between.silence();
    wait(stranger.delete(&[key("deleted")])).unwrap();
    save(&stranger, "replaced", record(2, LARGE)).unwrap();
    save(&stranger, "new", record(3, LARGE)).unwrap();
    let life = Life { created: store.now(), fresh_for: Some(2 * HOUR), ttl: Some(3 * HOUR) };
    assert!(wait(stranger.touch(&key("touched"), touched.id(), life, &[])).unwrap());
    wait(stranger.invalidate(scopes, Severity::Hard)).unwrap();
    let asked = pair.asked();
    let found = |name| slot(&store, name).unwrap().record;
    assert_eq!(found("deleted"), None);
    assert_eq!(found("replaced"), Some(record(2, LARGE)));
    assert_eq!(found("new"), Some(record(3, LARGE)));
    assert_eq!(found("kept"), Some(record(1, LARGE)));
    assert_eq!(found("touched"), Some(touched.touched(life).unwrap()));
    let now = wait(store.load(&[key("kept")], scopes)).unwrap().generations;
    assert_ne!(now[0].map(|now| now.hard), Some(before[0].hard));
    assert!(pair.asked() >= asked + 6, "the replica was asked, and had other answers");
    for name in ["deleted", "replaced"] {
        assert_eq!(pair.replica.command(&["EXISTS", name]).number(), 1, "it still has it");
    }
}

#[test]
fn what_was_just_computed_is_not_computed_again_because_a_replica_lags() {
    let pair = Pair::start();
    let caches = [pair.open(), pair.open()]
        .map(|store| Cache::builder().store(Arc::new(store)).near(0).build().unwrap());
    pair.between.silence();
    let runs = Arc::new(AtomicUsize::new(0));
    for cache in caches.iter().cycle().take(6) {
        let runs = Arc::clone(&runs);
        let compute = async move || {
            runs.fetch_add(1, Ordering::SeqCst);
            "x".repeat(LARGE)
        };
        cache.get_or_set(cache_key!("report", 7)).compute(compute).wait();
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    let misses: u64 = caches.iter().map(|cache| cache.stats().misses).sum();
    assert_eq!(misses, 1, "nobody else had to ask for a lease to be shown what there is");
}

#[derive(Default)]
struct Listener(AtomicBool);

impl Sink for Listener {
    fn key_changed(&self, _: KeyDigest) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn scope_changed(&self, _: ScopeId) {}

    fn lost(&self) {}
}

#[test]
fn changes_of_what_came_from_a_replica_are_pushed() {
    let pair = Pair::start();
    let (store, stranger) = (pair.open(), pair.stranger());
    save(&stranger, "k", record(1, LARGE)).unwrap();
    pair.in_step();
    let listener = Arc::new(Listener::default());
    let weak = Arc::downgrade(&listener);
    store.subscribe(HolderId::random(), weak as Weak<dyn Sink>);
    let asked = pair.asked();
    assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, LARGE)));
    assert_eq!(pair.asked(), asked + 1);
    assert!(!listener.0.load(Ordering::SeqCst));
    pair.between.silence(); // it is not from the replica that it is heard
    wait(stranger.delete(&[key("k")])).unwrap();
    wait_until("a push", || listener.0.load(Ordering::SeqCst));
}

/// A read, and how long it took.
fn timed(store: &RedisStore) -> Duration {
    let began = Instant::now();
    let found = slot(store, "k").expect("the primary answers");
    assert_eq!(found.record, Some(record(1, LARGE)));
    began.elapsed()
}

#[test]
fn dead_replica_costs_nothing() {
    let pair = Pair::start();
    let store = pair.open();
    save(&store, "k", record(1, LARGE)).unwrap();
    pair.in_step();
    pair.replica.kill();
    let slowest = (0..50).map(|_| timed(&store)).max();
    assert!(slowest < Some(Duration::from_millis(250)), "{slowest:?}");
    pair.replica.restart();
    wait_until("the replica to be asked again", || {
        timed(&store);
        pair.asked() > 0
    });
}

#[test]
fn replica_that_does_not_answer_is_waited_for_once() {
    let pair = Pair::start();
    // A quarter of this is what it is waited for.
    let store = pair.opened(pair.builder().timeout(Duration::from_secs(2)));
    save(&store, "k", record(1, LARGE)).unwrap();
    pair.in_step();
    pair.replica.freeze();
    let first = timed(&store);
    assert!(first >= Duration::from_millis(400), "it was asked: {first:?}");
    let began = Instant::now();
    for _ in 0..100 {
        timed(&store);
    }
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}", began.elapsed());
    pair.replica.thaw();
    let asked = pair.asked();
    wait_until("the replica to be asked again", || {
        timed(&store);
        pair.asked() > asked + 1
    });
}

#[test]
fn replica_that_the_primary_has_lost_is_not_asked() {
    let pair = Pair::start();
    let store = pair.open();
    save(&store, "k", record(1, LARGE)).unwrap();
    pair.primary.cut_replication();
    wait_until("a sign of life", || {
        let asked = pair.asked();
        timed(&store);
        pair.asked() == asked
    });
}
