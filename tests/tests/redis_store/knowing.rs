//! Generations that homes remember: what is asked for, and that no change is missed.

#![allow(clippy::unwrap_used)] // in what tests share

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyedcache::record::{Generation, Scope};
use keyedcache::store::{Loaded, RedisStore, Severity, Store};
use keyedcache::{Cache, cached};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::{Options, Server};
use keyedcache_tests::stored::{key, record, save};
use keyedcache_tests::watchdog::wait_until;
use tokio::runtime::Runtime;

use crate::ground::{connected, ground, open, patient};
use crate::homes::{move_in, with_workers};

/// What stands under `k`, and of which generation a scope is.
async fn glance(store: &RedisStore, scope: &Scope) -> Loaded {
    store.glance(&[key("k")], std::slice::from_ref(scope)).await.unwrap()
}

async fn generation(store: &RedisStore, scope: &Scope) -> Option<Generation> {
    let found = glance(store, scope).await;
    assert!(found.slots[0].record.is_some());
    found.generations[0]
}

/// A runtime that is at home, and that knows the scope `s`, of a server where `k` is stored.
fn knowing(server: &Server, store: &RedisStore) -> (Runtime, Scope) {
    let (runtime, scope) = (with_workers(), Scope::new("s"));
    save(store, "k", record(1, 50)).unwrap();
    let made = wait(store.generations(std::slice::from_ref(&scope))).unwrap()[0];
    move_in(&runtime, server, store);
    for _ in 0..3 {
        assert_eq!(runtime.block_on(generation(store, &scope)), Some(made));
    }
    (runtime, scope)
}

fn number(server: &Server, name: &str) -> u64 {
    server.info("stats")[name].parse().unwrap()
}

/// How many commands read names, and how many names they looked at.
fn reads(server: &Server) -> (u64, u64) {
    let looked = number(server, "keyspace_hits") + number(server, "keyspace_misses");
    (server.calls().get("mget").copied().unwrap_or_default(), looked)
}

fn allowances(server: &Server) -> u64 {
    server.calls().get("client|caching").copied().unwrap_or_default()
}

#[test]
fn hit_asks_for_the_record_and_its_lease_only() {
    #[cached(cache = "knowing", timeout = 600, near = 0)]
    async fn f(key: u64) -> u64 {
        std::future::ready(key).await
    }
    const HITS: u64 = 100;
    let (server, store) = ground();
    let store = Arc::new(store);
    let cache = Cache::builder().store(Arc::clone(&store) as _).build().unwrap();
    cache.register("knowing").unwrap();
    let runtime = with_workers();
    move_in(&runtime, &server, &store);
    for key in [0, 1, 0] {
        assert_eq!(runtime.block_on(f(key)), key);
    }
    server.reset_calls();
    let tracked = number(&server, "tracking_total_keys");
    for key in 0..HITS {
        assert_eq!(runtime.block_on(f(key % 2)), key % 2);
    }
    assert_eq!(cache.stats().store_hits, HITS + 1);
    assert_eq!(reads(&server), (HITS, 2 * HITS));
    assert_eq!(allowances(&server), 0, "there was nothing to be told of");
    assert_eq!(number(&server, "tracking_total_keys"), tracked);
}

#[test]
fn no_record_is_registered_for() {
    const RECORDS: usize = 200;
    let (server, store) = ground();
    let (runtime, scope) = knowing(&server, &store);
    for number in 0..RECORDS {
        server.command(&["SET", &format!("other{number}"), "x"]);
    }
    let tracked = number(&server, "tracking_total_keys");
    for number in 0..RECORDS {
        // Of some, the generation is asked for together with the record.
        if number % 2 == 0 {
            wait(store.invalidate(std::slice::from_ref(&scope), Severity::Soft)).unwrap();
        }
        let keys = [key(&format!("other{number}"))];
        let found = runtime.block_on(store.glance(&keys, std::slice::from_ref(&scope))).unwrap();
        assert!(found.slots[0].record.is_some() && found.generations[0].is_some());
    }
    assert!(allowances(&server) >= RECORDS as u64 / 2);
    assert_eq!(number(&server, "tracking_total_keys"), tracked);
}

#[test]
fn every_change_is_seen_by_the_read_after_it_whoever_reads_meanwhile() {
    const TASKS: usize = 6;
    const ROUNDS: usize = 1_000;
    let (server, store) = ground();
    let (runtime, _) = knowing(&server, &store);
    let (server, store) = (Arc::new(server), Arc::new(store));
    let elsewhere = Arc::new(open(&server.url()));
    let scopes: Vec<_> = (0..TASKS).map(|task| Scope::new(format!("s{task}"))).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let readers = (0..TASKS).map(|task| {
        let (store, scopes, is_over) = (Arc::clone(&store), scopes.clone(), Arc::clone(&is_over));
        runtime.spawn(async move {
            while !is_over.load(Ordering::Acquire) {
                store.glance(&[key("k")], &scopes[task / 2..]).await.unwrap();
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    let changing = scopes.iter().cloned().map(|scope| {
        let (server, store) = (Arc::clone(&server), Arc::clone(&store));
        let elsewhere = Arc::clone(&elsewhere);
        runtime.spawn(async move {
            let one = std::slice::from_ref(&scope);
            let name = format!("{{{}}}:generation", scope.text());
            let mut before = elsewhere.generations(one).await.unwrap()[0];
            for round in 0..ROUNDS {
                assert_eq!(generation(&store, &scope).await, Some(before), "{round}");
                match round % 4 {
                    0 => {
                        server.command(&["DEL", &name]);
                        assert_eq!(generation(&store, &scope).await, None, "{round}");
                        elsewhere.generations(one).await.unwrap();
                    }
                    1 => elsewhere.invalidate(one, Severity::Soft).await.unwrap(),
                    _ => elsewhere.invalidate(one, Severity::Hard).await.unwrap(),
                }
                let now = generation(&store, &scope).await;
                assert_eq!(now, elsewhere.load(&[], one).await.unwrap().generations[0], "{round}");
                assert_ne!(now, Some(before), "{round}");
                before = now.unwrap();
            }
        })
    });
    for task in changing.collect::<Vec<_>>() {
        runtime.block_on(task).unwrap();
    }
    is_over.store(true, Ordering::Release);
    for reader in readers {
        runtime.block_on(reader).unwrap();
    }
    assert!(allowances(&server) > ROUNDS as u64, "it was all read at home");
}

#[test]
fn server_that_is_emptied_has_nothing_more_that_is_known() {
    let (server, store) = ground();
    for command in [&["FLUSHALL"][..], &["FLUSHDB"], &["FLUSHALL", "ASYNC"]] {
        let (runtime, scope) = knowing(&server, &store);
        server.command(command);
        let found = runtime.block_on(glance(&store, &scope));
        assert_eq!((found.slots[0].record.is_some(), found.generations[0]), (false, None));
    }
}

#[test]
fn generation_that_is_evicted_is_not_known_any_more() {
    let server = Options::new().max_memory("20mb", "allkeys-random").start();
    let store = open(&server.url());
    let (runtime, scope) = knowing(&server, &store);
    let (name, filling) = ("{s}:generation", "x".repeat(100_000));
    let mut next = 0;
    wait_until("an evicted generation", || {
        next += 1;
        server.command(&["SET", &format!("filling{next}"), &filling]);
        server.command(&["EXISTS", name]).number() == 0
    });
    assert_eq!(runtime.block_on(glance(&store, &scope)).generations, [None]);
}

#[test]
fn generation_whose_time_is_over_cannot_be_struck_without_being_missed() {
    let (server, store) = ground();
    let (runtime, scope) = knowing(&server, &store);
    // Nobody looks whether it is over.
    server.command(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    let now = || {
        let time = server.command(&["TIME"]);
        let part = |at: usize| time.list()[at].text().parse::<i64>().unwrap();
        part(0) * 1000 + part(1) / 1000
    };
    let over = now() + 100;
    server.command(&["PEXPIREAT", "{s}:generation", &over.to_string()]);
    assert!(runtime.block_on(generation(&store, &scope)).is_some());
    wait_until("the time is over", || now() > over);
    wait(store.invalidate(std::slice::from_ref(&scope), Severity::Hard)).unwrap();
    assert_eq!(runtime.block_on(generation(&store, &scope)), None);
}

#[test]
fn who_may_not_be_told_reads_all_the_same() {
    for refused in ["-client|caching", "-client|tracking"] {
        let server = Server::start();
        let store = connected(patient(&server.url()));
        server.command(&["ACL", "SETUSER", "default", refused]);
        let (runtime, scope) = knowing(&server, &store);
        for _ in 0..20 {
            let before = runtime.block_on(generation(&store, &scope)).unwrap();
            wait(store.invalidate(std::slice::from_ref(&scope), Severity::Hard)).unwrap();
            let now = runtime.block_on(generation(&store, &scope)).unwrap();
            assert_ne!(now.hard, before.hard);
        }
        move_in(&runtime, &server, &store);
        server.reset_calls();
        for _ in 0..20 {
            runtime.block_on(generation(&store, &scope));
        }
        assert_eq!(reads(&server), (20, 60));
    }
}

#[test]
fn era_is_known_too() {
    use keyedcache::store::OnFailover;
    let server = Server::start();
    let store = connected(patient(&server.url()).on_failover(OnFailover::Forget));
    let (runtime, scope) = knowing(&server, &store);
    server.reset_calls();
    for _ in 0..20 {
        assert!(runtime.block_on(generation(&store, &scope)).is_some());
    }
    assert_eq!(server.calls().get("mget"), Some(&20));
    assert_eq!(allowances(&server), 0);
    server.command(&["DEL", "{keyedcache}:era"]);
    assert_eq!(runtime.block_on(generation(&store, &scope)), None);
    wait_until("another era", || runtime.block_on(generation(&store, &scope)).is_some());
}
