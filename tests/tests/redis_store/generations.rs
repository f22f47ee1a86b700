//! How long generations live, and what is sent again.

use std::time::Duration;

use keyedcache::record::Scope;
use keyedcache::store::{Guard, OnFailover, RedisStore, Severity, Store, Ttl};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::Server;
use keyedcache_tests::stored::{key, record, save, slot};
use keyedcache_tests::watchdog::wait_until;

use crate::ground::{connected, ground, patient};

const DAY: i64 = 24 * 3600;

fn save_for(store: &RedisStore, ttl: Ttl, scope: &Scope) {
    let scopes = std::slice::from_ref(scope);
    let saved = wait(store.save(&key("k"), record(1, 50), ttl, Guard::Always, scopes));
    assert!(saved.expect("the server is up"));
}

fn left(server: &Server) -> i64 {
    server.command(&["TTL", "{s}:generation"]).number()
}

fn scripts(server: &Server) -> u64 {
    server.calls().get("evalsha").copied().unwrap_or_default()
}

#[test]
fn generations_outlive_what_is_stamped_with_them() {
    let (server, store) = ground();
    let scope = Scope::new("s");
    wait(store.generations(std::slice::from_ref(&scope))).unwrap();
    assert!((DAY - 60..=DAY).contains(&left(&server)));
    save_for(&store, Some(Duration::from_mins(5)), &scope);
    assert!((DAY - 60..=DAY).contains(&left(&server)), "long enough");
    save_for(&store, Some(Duration::from_hours(48)), &scope);
    assert!((4 * DAY - 60..=4 * DAY).contains(&left(&server)), "twice as long as the record");
    save_for(&store, Some(Duration::from_hours(72)), &scope);
    assert!((4 * DAY - 60..=4 * DAY).contains(&left(&server)), "long enough");
    save_for(&store, None, &scope);
    assert_eq!(left(&server), -1, "for ever");
}

#[test]
fn saves_ask_only_once_how_long_generations_live() {
    let (server, store) = ground();
    let scope = Scope::new("s");
    wait(store.generations(std::slice::from_ref(&scope))).unwrap();
    // By its reply the store has heard that it has made one, and forgotten what it knew of it.
    wait(store.load(&[], std::slice::from_ref(&scope))).unwrap();
    save_for(&store, Some(Duration::from_mins(5)), &scope);
    server.reset_calls();
    save_for(&store, Some(Duration::from_mins(5)), &scope);
    assert_eq!(scripts(&server), 1, "it is known from the first save");

    let other = crate::ground::open(&server.url());
    save_for(&other, Some(Duration::from_mins(5)), &scope);
    server.reset_calls();
    save_for(&other, Some(Duration::from_mins(5)), &scope);
    assert_eq!(scripts(&server), 1, "it is known from the first save");
}

#[test]
fn touch_keeps_generations_too() {
    let (server, store) = ground();
    let scope = Scope::new("s");
    wait(store.generations(std::slice::from_ref(&scope))).unwrap();
    let header = keyedcache::record::Header::new(store.now());
    let record = keyedcache::record::Record::new(&header, b"touched").unwrap();
    save(&store, "k", record.clone()).unwrap();
    let life = keyedcache::record::Life { created: store.now(), fresh_for: None, ttl: None };
    let scopes = std::slice::from_ref(&scope);
    assert!(wait(store.touch(&key("k"), record.id(), life, scopes)).unwrap());
    assert_eq!(left(&server), -1);
}

#[test]
fn invalidations_work_when_memory_is_full() {
    let (server, store) = ground();
    let scope = Scope::new("s");
    let before = wait(store.generations(std::slice::from_ref(&scope))).unwrap()[0];
    save(&store, "k", record(1, 50)).unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    for severity in [Severity::Hard, Severity::Soft] {
        wait(store.invalidate(std::slice::from_ref(&scope), severity)).unwrap();
        let found = wait(store.load(&[], std::slice::from_ref(&scope))).unwrap().generations[0];
        assert!(found.is_none_or(|found| found.hard != before.hard));
    }
    let error = save(&store, "l", record(1, 50)).unwrap_err();
    assert_eq!(error.kind(), keyedcache::ErrorKind::Full, "{error}");
    assert!(slot(&store, "k").unwrap().record.is_some(), "reads work");
    assert_eq!(wait(store.delete(&[key("k")])).unwrap(), 1);
}

#[test]
fn everything_is_missing_after_a_restart_where_that_is_asked_for() {
    let server = Server::start();
    let open = || connected(patient(&server.url()).on_failover(OnFailover::Forget));
    let store = open();
    let scope = [Scope::new("s")];
    let now = |store: &RedisStore| wait(store.load(&[], &scope)).unwrap().generations[0];
    let before = wait(store.generations(&scope)).unwrap()[0];
    assert_eq!(now(&store), Some(before));
    assert_eq!(now(&open()), Some(before), "everyone sees the same");
    let snapshot = server.snapshot();
    server.restart_from(&snapshot);
    let stranger = open();
    assert!(now(&stranger).is_some_and(|now| now.hard != before.hard && now.soft != before.soft));
    wait_until("trust", || store.trusted());
    assert_eq!(now(&store), now(&stranger), "everyone sees the same again");
    assert_eq!(wait(stranger.generations(&scope)).unwrap()[0], now(&store).unwrap());
}

#[test]
fn era_that_was_evicted_is_made_anew() {
    let server = Server::start();
    let store = connected(patient(&server.url()).on_failover(OnFailover::Forget));
    let scope = [Scope::new("s")];
    wait(store.generations(&scope)).unwrap();
    server.command(&["DEL", "{keyedcache}:era"]);
    assert_eq!(wait(store.load(&[], &scope)).unwrap().generations[0], None);
    wait_until("another era", || wait(store.generations(&scope)).is_ok());
}

#[test]
fn invalidations_are_sent_again_to_a_server_restarted_from_an_older_snapshot() {
    let (server, store) = ground();
    let scope = Scope::new("s");
    let before = wait(store.generations(std::slice::from_ref(&scope))).unwrap()[0];
    save(&store, "k", record(1, 50)).unwrap();
    save(&store, "kept", record(2, 50)).unwrap();
    let snapshot = server.snapshot();
    wait(store.invalidate(std::slice::from_ref(&scope), Severity::Hard)).unwrap();
    assert_eq!(wait(store.delete(&[key("k")])).unwrap(), 1);
    server.restart_from(&snapshot);
    assert_eq!(server.command(&["EXISTS", "kept"]).number(), 1, "it has what was saved");
    wait_until("trust", || store.trusted());
    let found = wait(store.load(&[key("k"), key("kept")], &[scope])).unwrap();
    assert_eq!(found.slots[0].record, None, "deleted again");
    assert_eq!(found.slots[1].record, Some(record(2, 50)));
    assert!(found.generations[0].is_none_or(|found| found.hard != before.hard), "struck again");
}
