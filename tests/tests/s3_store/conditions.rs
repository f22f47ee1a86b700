//! Servers that ignore preconditions, and servers whose clock is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyedcache::record::Scope;
use keyedcache::store::{Guard, HolderId, LeaseToken, Leasing, Severity, Store};
use keyedcache::{Cache, ErrorKind, cache_key};
use keyedcache_tests::drive::wait;
use keyedcache_tests::s3::S3Server;
use keyedcache_tests::stored::{key, record};

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn server_that_ignores_preconditions_is_found_out_used_all_the_same_and_named() {
    let server = S3Server::start();
    server.heed_conditions(false);
    let cache = Cache::builder().store(Arc::new(server.store("app"))).build().unwrap();
    let runs = AtomicUsize::new(0);
    for _ in 0..3 {
        let computed = cache.get_or_set(cache_key!("report", 7)).compute(async || {
            runs.fetch_add(1, Ordering::SeqCst);
            7
        });
        assert_eq!(computed.wait(), 7);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1, "answers are kept");
    let error = cache.require().wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("ignores If-None-Match"), "{error}");

    let heeding = S3Server::start();
    let cache = Cache::builder().store(Arc::new(heeding.store("app"))).build().unwrap();
    cache.require().wait().unwrap();
}

#[test]
fn whether_preconditions_are_heeded_is_asked_once_by_two_writes() {
    let server = S3Server::start();
    let lease = |store: &dyn Store, text: &str| {
        let token = LeaseToken::random(HolderId::random());
        let before = server.counts();
        assert_eq!(wait(store.lease(&key(text), token, HOUR, None)).unwrap(), Leasing::Granted);
        server.counts().since(before).put
    };
    let store = server.store("app");
    assert_eq!(lease(&store, "a"), 4, "three writes where no probe was, and the lease");
    assert_eq!(lease(&store, "b"), 1);
    assert_eq!(lease(&server.store("app"), "c"), 3, "two writes, and the lease");
}

#[test]
fn leases_and_deletes_hold_where_preconditions_are_ignored() {
    let server = S3Server::start();
    server.heed_conditions(false);
    let (one, other) = (server.store("app"), server.store("app"));
    let token = LeaseToken::random(HolderId::random());
    assert_eq!(wait(one.lease(&key("k"), token, HOUR, None)).unwrap(), Leasing::Granted);
    let late = LeaseToken::random(HolderId::random());
    let held = wait(other.lease(&key("k"), late, HOUR, None)).unwrap();
    assert!(matches!(held, Leasing::Held { by, .. } if by == token), "{held:?}");
    wait(other.delete(&[key("k")])).unwrap();
    let save = wait(one.save(&key("k"), record(1, 40), None, Guard::Lease(token), &[]));
    assert!(!save.unwrap(), "deleted while it was computed");

    let scope = Scope::new("scope");
    let before = wait(one.generations(std::slice::from_ref(&scope))).unwrap()[0];
    wait(other.invalidate(std::slice::from_ref(&scope), Severity::Soft)).unwrap();
    let after = wait(one.generations(&[scope])).unwrap()[0];
    assert_ne!(before.soft, after.soft);
}

/// One node's clock is a quarter of an hour from the server's; the other's is right.
#[test]
fn times_are_the_servers_wherever_its_clock_stands() {
    for apart in [900, -900] {
        let server = S3Server::start();
        server.shift_clock(apart);
        let store = server.store("app");
        wait(store.load(&[key("k")], &[])).unwrap();
        wait(store.save(
            &key("k"),
            record(1, 40),
            Some(Duration::from_mins(1)),
            Guard::Always,
            &[],
        ))
        .unwrap();
        let is_there =
            || wait(server.store("app").load(&[key("k")], &[])).unwrap().slots[0].record.is_some();
        assert!(is_there(), "a minute is not over: {apart}");
        server.shift_clock(apart + 50);
        assert!(is_there(), "{apart}");
        server.shift_clock(apart + 70);
        assert!(!is_there(), "the minute is over by the server's clock: {apart}");
    }
}
