//! Slots that move while they are used.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use keyedcache::record::{Header, Record, Scope};
use keyedcache::store::{Incremented, RedisStore, Severity, Store, StoredKey};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::{Cluster, Server};
use keyedcache_tests::stored::{key, record, save, slot};
use keyedcache_tests::watchdog::wait_until;

use crate::ground::{Losses, ground, key_at, open};

/// The primary after this one.
fn another<'c>(cluster: &'c Cluster, than: &Server) -> &'c Server {
    let others = cluster.primaries().into_iter();
    others.into_iter().find(|one| one.port() != than.port()).expect("there are three")
}

/// Does a thing until it is over, and counts how often.
fn over_and_over(is_over: &AtomicBool, turns: &AtomicU64, thing: impl Fn(u64)) {
    while !is_over.load(Ordering::Relaxed) {
        thing(turns.load(Ordering::Relaxed));
        turns.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn slot_that_is_half_way_is_read_and_invalidated_on_both_sides() {
    let (cluster, store) = ground();
    let (name, other) = ("a:1:k", open(&cluster, Duration::from_millis(250)));
    let scope = Scope::new(name); // on the same slot as what is under the key
    let before = wait(store.generations(std::slice::from_ref(&scope))).unwrap()[0];
    save(&store, name, record(1, 50)).unwrap();
    let moving =
        cluster.start_moving(cluster.slot_of(name), another(&cluster, cluster.primary_of(name)));

    let soft = |store: &RedisStore| {
        wait(store.invalidate(std::slice::from_ref(&scope), Severity::Soft)).unwrap();
        wait(store.load(&[key(name)], std::slice::from_ref(&scope))).unwrap()
    };
    let here = soft(&store);
    assert_eq!(here.slots[0].record, Some(record(1, 50)));
    while moving.keys(1) > 0 {
        assert_eq!(soft(&store).slots[0].record, Some(record(1, 50)));
    }
    let there = soft(&store);
    assert_eq!(there.slots[0].record, Some(record(1, 50)));
    let [here, there] = [here, there].map(|loaded| loaded.generations[0].expect("it stands"));
    assert_eq!((here.hard, there.hard), (before.hard, before.hard));
    assert!(here.soft != before.soft && there.soft != here.soft);

    // What concerns several names at once waits until they are on one side, as long as it may.
    let error = save(&other, name, record(2, 50)).unwrap_err();
    assert!(error.is_temporary(), "{error}");
    thread::scope(|scope| {
        let saving = scope.spawn(|| save(&store, name, record(3, 50)));
        moving.finish();
        saving.join().unwrap().unwrap();
    });
    assert_eq!(slot(&other, name).unwrap().record, Some(record(3, 50)));
}

/// Slots with counters, plain records and generations move to and fro, while all of them are used.
#[test]
fn resharding_under_load_loses_nothing_and_does_nothing_twice() {
    let (cluster, store) = ground();
    let servers = [0, 8000].map(|slot| cluster.primary_of_slot(slot));
    let counter = key_at(&cluster, servers[0], "counter");
    let plain = key_at(&cluster, servers[0], "plain");
    let scope = Scope::new(key_at(&cluster, servers[0], "scope").as_str());
    let header = Header::new(store.now());
    let zero = Record::counter(header, 0).unwrap();
    let seen = zero.id();
    save(&store, counter.as_str(), zero).unwrap();
    let (is_over, sum) = (AtomicBool::new(false), AtomicI64::new(0));
    let increments = &|_| match wait(store.increment(&counter, seen, 1)).unwrap() {
        Incremented::Sum(_) => _ = sum.fetch_add(1, Ordering::Relaxed),
        other => panic!("{other:?}"),
    };
    let saves = &|turn| {
        save(&store, plain.as_str(), record(turn, 50)).unwrap();
        assert_eq!(slot(&store, plain.as_str()).unwrap().record, Some(record(turn, 50)));
    };
    let strikes = &|_| {
        let scopes = std::slice::from_ref(&scope);
        let before = wait(store.generations(scopes)).unwrap()[0];
        wait(store.invalidate(scopes, Severity::Hard)).unwrap();
        let after = wait(store.load(&[], scopes)).unwrap().generations[0];
        assert!(after.is_none_or(|after| after.hard != before.hard));
    };
    let turns = [const { AtomicU64::new(0) }; 3];
    let have_all_run = || turns.iter().all(|turns| turns.load(Ordering::Relaxed) > 20);
    thread::scope(|threads| {
        threads.spawn(|| over_and_over(&is_over, &turns[0], increments));
        threads.spawn(|| over_and_over(&is_over, &turns[1], saves));
        threads.spawn(|| over_and_over(&is_over, &turns[2], strikes));
        for turn in 1..40 {
            for name in [counter.as_str(), plain.as_str(), scope.text()] {
                cluster.move_slot(cluster.slot_of(name), servers[turn % 2]);
            }
            if turn >= 4 && have_all_run() {
                break;
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(have_all_run(), "{turns:?}");
    let total = wait(store.increment(&counter, seen, 0)).unwrap();
    assert_eq!(total, Incremented::Sum(sum.into_inner()), "each increment counts once");
}

#[test]
fn near_caches_are_emptied_when_a_slot_has_moved() {
    let (cluster, store) = ground();
    let losses = Losses::of(&store);
    let name = "a:1:k";
    save(&store, name, record(1, 50)).unwrap();
    slot(&store, name).unwrap();
    cluster.move_slot(cluster.slot_of(name), another(&cluster, cluster.primary_of(name)));
    wait_until("the move is noticed without a request", || losses.count() > 0);
    wait_until("trust", || store.trusted());
}

#[test]
fn scan_misses_nothing_while_slots_move() {
    let (cluster, store) = ground();
    // They have their turns in the order of their ports.
    let [first, _, last] = cluster.primaries().try_into().expect("there are three");
    let keys: Vec<StoredKey> = (0..300).map(|n| key(&format!("a:1:{n}"))).collect();
    for key in &keys {
        save(&store, key.as_str(), record(1, 50)).unwrap();
    }
    let at = |server: &Server| {
        let is_there = |key: &&StoredKey| cluster.primary_of(key.as_str()).port() == server.port();
        keys.iter().filter(is_there).cloned().collect::<Vec<_>>()
    };
    let (at_first, at_last) = (at(first), at(last));
    let (mut found, mut from, mut moved) = (HashSet::new(), None, 0);
    loop {
        let page = wait(store.scan("a:1:", from.as_deref(), 10)).unwrap();
        found.extend(page.keys);
        from = page.next;
        if from.is_none() {
            break;
        }
        if moved < 3 && at_first.iter().all(|key| found.contains(key)) {
            let still = &at_last[moved];
            assert!(!found.contains(still), "its turn is yet to come");
            cluster.move_slot(cluster.slot_of(still.as_str()), first);
            moved += 1;
        }
    }
    assert!(moved == 3 && keys.iter().all(|key| found.contains(key)), "{}", found.len());
    assert_eq!(wait(store.clear("a:1:")).unwrap(), keys.len());
}
