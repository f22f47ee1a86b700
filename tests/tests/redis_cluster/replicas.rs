//! Records that are read from replicas of the slots' primaries, which makes nothing stale.

#![allow(clippy::unwrap_used)] // in what tests share

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::record::{Header, Life, Record, Scope, ScopeId};
use keyedcache::store::{
    Guard, HolderId, KeyDigest, OnFailover, RedisStore, Severity, Sink, Store, StoredKey,
};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::{Cluster, Server};
use keyedcache_tests::stored::{HOUR, record, save, slot};
use keyedcache_tests::watchdog::wait_until;

use crate::ground::{builder, ground, key_at, opened};

const LARGE: usize = 20_000;

/// How often this replica has been asked for records.
fn asked(replica: &Server) -> u64 {
    replica.calls().get("mget").copied().unwrap_or_default()
}

/// Reads by this store until this replica is asked for what is under the key.
fn wait_asked(store: &RedisStore, replica: &Server, key: &StoredKey) {
    let before = asked(replica);
    wait_until("the replica to be asked", || {
        slot(store, key.as_str()).is_ok() && asked(replica) > before
    });
}

/// A store that reads from replicas.
fn reading(cluster: &Cluster) -> RedisStore {
    opened(builder(cluster).read_replicas(true))
}

/// What one of three primaries has, and its replica.
struct Place<'c> {
    primary: &'c Server,
    replica: &'c Server,
    key: StoredKey,
}

impl<'c> Place<'c> {
    fn all(cluster: &'c Cluster) -> Vec<Self> {
        let primaries = cluster.primaries().into_iter();
        let place = |primary| Self {
            primary,
            replica: cluster.replica_of(primary),
            key: key_at(cluster, primary, "k"),
        };
        primaries.map(place).collect()
    }

    fn in_step(&self) {
        self.replica.wait_in_step_with(self.primary);
    }
}

#[test]
fn large_records_come_from_the_replicas_of_their_primaries() {
    let (cluster, stranger) = ground();
    let store = reading(&cluster);
    let places = Place::all(&cluster);
    for place in &places {
        save(&stranger, place.key.as_str(), record(1, LARGE)).unwrap();
        place.in_step();
        wait_asked(&store, place.replica, &place.key);
    }
    cluster.servers().iter().for_each(Server::reset_calls);
    let keys: Vec<_> = places.iter().map(|place| place.key.clone()).collect();
    for _ in 0..50 {
        let loaded = wait(store.load(&keys, &[])).unwrap();
        assert!(loaded.slots.iter().all(|slot| slot.record == Some(record(1, LARGE))));
    }
    for Place { primary, replica, .. } in places {
        let calls = primary.calls();
        assert_eq!((calls["getrange"], calls["mget"]), (50, 50), "leases and first bytes");
        let sent: usize = primary.info("stats")["total_net_output_bytes"].parse().unwrap();
        assert!(sent < 10 * LARGE, "{sent} bytes");
        assert_eq!(asked(replica), 50);
        let calls = replica.calls();
        assert!(["eval", "evalsha", "getrange"].iter().all(|name| !calls.contains_key(*name)));
    }
}

#[test]
fn records_of_every_size_and_kind_are_read_whole() {
    let (cluster, stranger) = ground();
    let store = reading(&cluster);
    for place in Place::all(&cluster) {
        wait_asked(&store, place.replica, &place.key);
        let empty = Record::from_bytes(bytes::Bytes::new());
        let counter = Record::counter(Header::new(store.now()), 12).unwrap();
        let sizes = [32, 255, 256, 257, LARGE].map(|size| record(size as u64, size));
        for (n, saved) in sizes.into_iter().chain([empty.clone(), counter]).enumerate() {
            let name = key_at(&cluster, place.primary, &format!("{n}-"));
            let name = name.as_str();
            save(&stranger, name, saved.clone()).unwrap();
            let at_once = slot(&store, name).unwrap().record;
            // An empty text, which is no record, counts as nothing until the replica has it too.
            let is_late = saved == empty && at_once.is_none();
            assert!(is_late || at_once.as_ref() == Some(&saved), "at once, {n}: {at_once:?}");
            place.in_step();
            assert_eq!(slot(&store, name).unwrap().record, Some(saved), "later, {n}");
        }
        place.primary.command(&["RPUSH", place.key.as_str(), "foreign"]);
        assert_eq!(slot(&store, place.key.as_str()).unwrap().record, None);
    }
}

/// The primary says each second which replicas follow it: what is cut from it is asked until then.
#[test]
fn what_only_a_replica_still_has_is_not_served() {
    let (cluster, stranger) = ground();
    let store = reading(&cluster);
    let place = Place::all(&cluster).remove(0);
    let whats = ["deleted", "replaced", "kept", "touched", "new", "scope"];
    let names = whats.map(|what| (what, key_at(&cluster, place.primary, what)));
    let name = |what: &str| names.iter().find(|(other, _)| *other == what).unwrap().1.clone();
    let scope = Scope::new(name("scope").as_str());
    let scopes = std::slice::from_ref(&scope);
    let life = || Life { created: store.now(), fresh_for: Some(2 * HOUR), ttl: Some(3 * HOUR) };
    let mut attempts = 0;
    loop {
        attempts += 1;
        let touched = Record::new(&Header::new(store.now()), &vec![7; LARGE]).unwrap();
        for name in ["deleted", "replaced", "kept"].map(name) {
            save(&stranger, name.as_str(), record(1, LARGE)).unwrap();
        }
        let name_of_it = name("touched");
        let saved = stranger.save(&name_of_it, touched.clone(), Some(HOUR), Guard::Always, &[]);
        wait(saved).unwrap();
        wait(stranger.delete(&[name("new")])).unwrap();
        let before = wait(stranger.generations(scopes)).unwrap()[0];
        place.in_step();
        wait_asked(&store, place.replica, &name("kept"));

        place.primary.cut_replication();
        wait(stranger.delete(&[name("deleted")])).unwrap();
        save(&stranger, name("replaced").as_str(), record(2, LARGE)).unwrap();
        save(&stranger, name("new").as_str(), record(3, LARGE)).unwrap();
        let life = life();
        assert!(wait(stranger.touch(&name("touched"), touched.id(), life, &[])).unwrap());
        wait(stranger.invalidate(scopes, Severity::Hard)).unwrap();
        let asked_before = asked(place.replica);
        let found = |what| slot(&store, name(what).as_str()).unwrap().record;
        assert_eq!(found("deleted"), None);
        assert_eq!(found("replaced"), Some(record(2, LARGE)));
        assert_eq!(found("new"), Some(record(3, LARGE)));
        assert_eq!(found("kept"), Some(record(1, LARGE)));
        assert_eq!(found("touched"), Some(touched.touched(life).unwrap()));
        let loaded = wait(store.load(&[name("kept")], scopes)).unwrap();
        assert_ne!(loaded.generations[0].map(|now| now.hard), Some(before.hard));
        let was_asked = asked(place.replica) >= asked_before + 6;
        place.primary.restore_replication();
        if was_asked {
            break;
        }
        assert!(attempts < 10, "it is never asked for what it has");
        place.in_step();
    }
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
    let (cluster, stranger) = ground();
    let store = reading(&cluster);
    let place = Place::all(&cluster).remove(0);
    save(&stranger, place.key.as_str(), record(1, LARGE)).unwrap();
    place.in_step();
    wait_asked(&store, place.replica, &place.key);
    wait(stranger.delete(std::slice::from_ref(&place.key))).unwrap();
    save(&stranger, place.key.as_str(), record(2, LARGE)).unwrap();
    place.in_step();
    let listener = Arc::new(Listener::default());
    let weak = Arc::downgrade(&listener);
    store.subscribe(HolderId::random(), weak as Weak<dyn Sink>);
    let before = asked(place.replica);
    assert_eq!(slot(&store, place.key.as_str()).unwrap().record, Some(record(2, LARGE)));
    assert_eq!(asked(place.replica), before + 1);
    listener.0.store(false, Ordering::SeqCst); // what was pushed of before may have come late
    wait(stranger.delete(std::slice::from_ref(&place.key))).unwrap();
    wait_until("a push", || listener.0.load(Ordering::SeqCst));
}

/// Reads while something happens to servers; each answer is right, and the longest took so long.
fn read_while(store: &RedisStore, key: &StoredKey, happens: impl FnOnce()) -> Duration {
    let (is_over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|threads| {
        let reading = threads.spawn(|| {
            let mut longest = Duration::ZERO;
            while !is_over.load(Ordering::Relaxed) {
                let began = Instant::now();
                assert_eq!(slot(store, key.as_str()).unwrap().record, Some(record(1, LARGE)));
                longest = longest.max(began.elapsed());
                count.fetch_add(1, Ordering::Relaxed);
            }
            longest
        });
        happens();
        let so_far = count.load(Ordering::Relaxed);
        wait_until("some more reads", || {
            reading.is_finished() || count.load(Ordering::Relaxed) > so_far + 20
        });
        is_over.store(true, Ordering::Relaxed);
        reading.join().unwrap()
    })
}

#[test]
fn replica_that_dies_or_takes_over_and_slots_that_move_cost_no_answer() {
    let (cluster, stranger) = ground();
    let store = reading(&cluster);
    let [first, second, _] = Place::all(&cluster).try_into().ok().expect("there are three");
    for place in [&first, &second] {
        save(&stranger, place.key.as_str(), record(1, LARGE)).unwrap();
        place.in_step();
        wait_asked(&store, place.replica, &place.key);
    }
    let moved = cluster.slot_of(first.key.as_str());
    read_while(&store, &first.key, || {
        cluster.move_slot(moved, second.primary);
    });
    second.in_step();
    wait_asked(&store, second.replica, &first.key);

    read_while(&store, &first.key, || cluster.promote(second.replica));
    wait_asked(&store, second.primary, &first.key); // which is the replica now

    let longest = read_while(&store, &first.key, || second.primary.kill());
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    second.primary.restart();
    wait_asked(&store, second.primary, &first.key);
}

#[test]
fn replicas_are_read_from_where_a_failover_forgets_everything() {
    let (cluster, _) = ground();
    let store = opened(builder(&cluster).read_replicas(true).on_failover(OnFailover::Forget));
    for place in Place::all(&cluster) {
        let scopes = [Scope::new("a::everything"), Scope::new("a::prefix:f")];
        let scopes = store.scopes_for(&place.key, &scopes).into_owned();
        let made = wait(store.generations(&scopes)).unwrap();
        save(&store, place.key.as_str(), record(1, LARGE)).unwrap();
        place.in_step();
        wait_asked(&store, place.replica, &place.key);
        let loaded = wait(store.load(std::slice::from_ref(&place.key), &scopes)).unwrap();
        assert_eq!(loaded.slots[0].record, Some(record(1, LARGE)));
        assert_eq!(loaded.generations, made.into_iter().map(Some).collect::<Vec<_>>());
    }
}
