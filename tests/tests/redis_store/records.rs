//! What stands in the server, and what may stand there instead.

use keyedcache::record::{Header, Record, Scope};
use keyedcache::store::{Guard, HolderId, Incremented, LeaseToken, Leasing, Severity, Slot, Store};
use keyedcache::{ErrorKind, Moment};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::Reply;
use keyedcache_tests::stored::{HOUR, key, record, save, slot};

use crate::ground::{ground, open};

fn counter(value: i64) -> Record {
    Record::counter(Header::new(Moment::from_micros(7)), value).expect("a number is small")
}

#[test]
fn records_stand_under_their_own_keys_for_as_long_as_they_are_kept() {
    let (server, store) = ground();
    let kept = record(1, 100);
    save(&store, "app:1:product::7", kept.clone()).unwrap();
    assert_eq!(server.command(&["GET", "app:1:product::7"]), Reply::Text(kept.bytes().to_vec()));
    assert_eq!(server.command(&["TTL", "app:1:product::7"]).number(), -1);
    assert!(wait(store.save(&key("short"), kept, Some(HOUR), Guard::Always, &[])).unwrap());
    let left = server.command(&["TTL", "short"]).number();
    assert!((3500..=3600).contains(&left), "{left}");
}

#[test]
fn counters_are_numbers_to_redis_cli() {
    let (server, store) = ground();
    for value in [0, 41, -7, i64::MAX, i64::MIN] {
        let counter = counter(value);
        save(&store, "hits", counter.clone()).unwrap();
        assert_eq!(server.command(&["GET", "hits"]).text(), value.to_string());
        assert_eq!(slot(&store, "hits").unwrap().record, Some(counter));
    }
    let counter = counter(41);
    save(&store, "hits", counter.clone()).unwrap();
    server.command(&["INCR", "hits"]);
    let sum = wait(store.increment(&key("hits"), counter.id(), 1)).unwrap();
    assert_eq!(sum, Incremented::Sum(43));
    assert_eq!(server.command(&["GET", "hits"]).text(), "43");
}

#[test]
fn counters_of_the_largest_numbers_lose_no_digit() {
    let (_server, store) = ground();
    let counter = counter(i64::MAX - 1);
    save(&store, "hits", counter.clone()).unwrap();
    let add = |by| wait(store.increment(&key("hits"), counter.id(), by));
    assert_eq!(add(1).unwrap(), Incremented::Sum(i64::MAX));
    assert_eq!(add(1).unwrap_err().kind(), ErrorKind::NotACounter);
    assert_eq!(add(i64::MIN).unwrap(), Incremented::Sum(-1));
}

#[test]
fn number_that_somebody_else_put_there_is_no_counter_and_can_be_replaced() {
    let (server, store) = ground();
    server.command(&["SET", "hits", "5"]);
    let found = slot(&store, "hits").unwrap().record.expect("something is there");
    assert!(found.open().is_err());
    let add = wait(store.increment(&key("hits"), found.id(), 1));
    assert_eq!(add.unwrap_err().kind(), ErrorKind::NotACounter);
    let seen = Guard::Seen(Some(found.id()));
    assert!(wait(store.save(&key("hits"), counter(1), None, seen, &[])).unwrap());
    assert_eq!(server.command(&["GET", "hits"]).text(), "1");
}

#[test]
fn record_that_replaces_a_counter_leaves_nothing_of_it() {
    let (server, store) = ground();
    save(&store, "hits", counter(5)).unwrap();
    assert_eq!(server.command(&["EXISTS", "{hits}:header"]).number(), 1);
    save(&store, "hits", record(1, 50)).unwrap();
    assert_eq!(server.command(&["EXISTS", "{hits}:header"]).number(), 0);
    save(&store, "hits", counter(5)).unwrap();
    assert_eq!(wait(store.delete(&[key("hits")])).unwrap(), 1);
    assert_eq!(server.command(&["DBSIZE"]).number(), 0);
    save(&store, "hits", counter(5)).unwrap();
    assert_eq!(wait(store.clear("hits")).unwrap(), 1);
    assert_eq!(server.command(&["DBSIZE"]).number(), 0);
}

/// Puts a value of another type under each name that the store uses for the key `k` and a scope `s`.
fn plant(server: &keyedcache_tests::redis::Server) {
    server.command(&["FLUSHALL"]);
    for name in ["k", "{k}:lease", "{k}:header", "{s}:generation"] {
        server.command(&["RPUSH", name, "foreign"]);
    }
}

#[test]
fn values_of_another_type_are_absent_and_overwritten() {
    let (server, store) = ground();
    let (scope, token) = (Scope::new("s"), LeaseToken::random(HolderId::random()));
    let all = || wait(store.load(&[key("k")], std::slice::from_ref(&scope))).unwrap();

    plant(&server);
    assert_eq!((&all().slots[0], all().generations[0]), (&Slot::default(), None));
    assert_eq!(wait(store.lease(&key("k"), token, HOUR, None)).unwrap(), Leasing::Granted);
    assert!(wait(store.renew(&key("k"), token, HOUR)).unwrap());
    let lease = Guard::Lease(token);
    assert!(
        wait(store.save(&key("k"), record(1, 50), None, lease, std::slice::from_ref(&scope)))
            .unwrap()
    );
    assert_eq!(all().slots[0].record, Some(record(1, 50)));

    plant(&server);
    assert!(wait(store.save(&key("k"), counter(3), None, Guard::Seen(None), &[])).unwrap());
    assert_eq!(all().slots[0].record.as_ref().unwrap().counter_value().unwrap(), 3);

    plant(&server);
    assert!(!wait(store.renew(&key("k"), token, HOUR)).unwrap());
    assert!(!wait(store.touch(&key("k"), record(1, 50).id(), life(), &[])).unwrap());
    let add = wait(store.increment(&key("k"), counter(1).id(), 1)).unwrap();
    assert_eq!(add, Incremented::Changed(Slot::default()));
    wait(store.changed(&key("k"), token, HOUR)).unwrap();
    assert_eq!(wait(store.delete(&[key("k")])).unwrap(), 0);

    for severity in [Severity::Hard, Severity::Soft] {
        plant(&server);
        wait(store.invalidate(std::slice::from_ref(&scope), severity)).unwrap();
        assert_eq!(all().generations[0], None);
    }
    plant(&server);
    let created = wait(store.generations(std::slice::from_ref(&scope))).unwrap();
    assert_eq!(all().generations[0], Some(created[0]));
}

fn life() -> keyedcache::record::Life {
    keyedcache::record::Life { created: Moment::from_micros(7), fresh_for: None, ttl: None }
}

#[test]
fn lists_under_the_prefix_are_neither_found_nor_cleared() {
    let (server, store) = ground();
    save(&store, "app:1:a", record(1, 50)).unwrap();
    server.command(&["RPUSH", "app:1:list", "foreign"]);
    let page = wait(store.scan("app:1:", None, 100)).unwrap();
    assert_eq!(page.keys, [key("app:1:a")]);
    assert_eq!(wait(store.clear("app:1:")).unwrap(), 1);
    assert_eq!(server.command(&["LLEN", "app:1:list"]).number(), 1);
}

#[test]
fn scan_of_everything_finds_neither_leases_nor_generations() {
    let (_server, store) = ground();
    let token = LeaseToken::random(HolderId::random());
    save(&store, "a", counter(1)).unwrap();
    wait(store.lease(&key("b"), token, HOUR, None)).unwrap();
    wait(store.generations(&[Scope::new("s")])).unwrap();
    assert_eq!(wait(store.scan("", None, 1000)).unwrap().keys, [key("a")]);
}

#[test]
fn scripts_that_the_server_forgot_are_sent_again() {
    let (server, store) = ground();
    let (kept, scope) = (counter(1), Scope::new("s"));
    for _ in 0..3 {
        server.command(&["FLUSHALL"]);
        let flush = || server.command(&["SCRIPT", "FLUSH"]);
        let token = LeaseToken::random(HolderId::random());
        flush();
        let scopes = vec![scope.clone(), Scope::new("t")];
        let created = wait(store.generations(&scopes)).unwrap();
        flush();
        assert_eq!(wait(store.lease(&key("k"), token, HOUR, None)).unwrap(), Leasing::Granted);
        flush();
        assert!(wait(store.renew(&key("k"), token, HOUR)).unwrap());
        flush();
        assert!(
            wait(store.save(&key("k"), kept.clone(), None, Guard::Lease(token), &scopes)).unwrap(),
            "once, and not refused the second time"
        );
        flush();
        let add = wait(store.increment(&key("k"), kept.id(), 5)).unwrap();
        assert_eq!(add, Incremented::Sum(6), "added once");
        flush();
        assert!(wait(store.touch(&key("k"), kept.id(), life(), &scopes)).unwrap());
        flush();
        wait(store.invalidate(&scopes, Severity::Hard)).unwrap();
        let found = wait(store.load(&[], &scopes)).unwrap().generations;
        assert!(found.iter().zip(&created).all(|(new, old)| new.unwrap().hard != old.hard));
        flush();
        assert_eq!(wait(store.delete(&[key("k"), key("l")])).unwrap(), 1);
    }
}

#[test]
fn stores_in_two_databases_do_not_meet() {
    let (server, store) = ground();
    let other = open(&format!("{}/3", server.url()));
    save(&store, "k", record(1, 50)).unwrap();
    assert_eq!(slot(&other, "k").unwrap(), Slot::default());
}
