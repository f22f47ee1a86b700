//! Commands that a server has done, and whose replies are lost.

use std::sync::atomic::{AtomicU64, Ordering};

use keyedcache::{Cache, ErrorKind, cache_key, cached};
use keyedcache_tests::place::{Place, alone};
use keyedcache_tests::proxy::Proxy;
use keyedcache_tests::redis::Server;
use keyedcache_tests::watchdog::wait_until;

static RUNS: AtomicU64 = AtomicU64::new(0);

#[cached(cache = "unheard", name = "unheard", timeout = 600)]
fn unheard(key: u64) -> u64 {
    assert!(key < u64::MAX);
    RUNS.fetch_add(1, Ordering::SeqCst) + 1
}

/// A server, a proxy in front of it, and a cache that is connected through it.
fn through_a_proxy() -> (Server, Proxy, Cache) {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let cache = Place::redis(&server.url_at(&proxy.address())).register("unheard");
    wait_until("a connection", || cache.require().wait().is_ok());
    (server, proxy, cache)
}

#[test]
fn increment_whose_reply_was_lost_is_not_sent_twice() {
    let _alone = alone();
    let (server, proxy, cache) = through_a_proxy();
    let key = || cache_key!("counter");
    cache.set(key(), &0_i64).wait().unwrap();
    cache.increment(key(), 0).wait().unwrap(); // makes a counter of it
    cache.increment(key(), 0).wait().unwrap(); // and has the server know how to add
    for round in 1..=10 {
        proxy.lose_replies(1, "1234567");
        let error = cache.increment(key(), 1_234_567).wait().expect_err("nothing was heard of it");
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
        proxy.wait_lost(round);
        let sum = server.command(&["GET", "keyedcache:1:counter"]).number();
        assert_eq!(sum, 1_234_567 * i64::try_from(round).unwrap(), "it was done once");
    }
    wait_until("a connection", || cache.get::<i64>(key()).wait().is_ok());
    assert_eq!(cache.increment(key(), 1).wait().unwrap(), 12_345_671);
}

#[test]
fn write_whose_reply_was_lost_is_not_sent_twice() {
    let _alone = alone();
    let (server, proxy, cache) = through_a_proxy();
    cache.set(cache_key!("write"), "first").wait().unwrap();
    for (lost, is_add) in [(1, false), (2, true)] {
        if is_add {
            cache.delete(cache_key!("write")).wait().unwrap();
        }
        server.reset_calls();
        proxy.lose_replies(1, "precious");
        let written = if is_add {
            cache.add(cache_key!("write"), "precious").wait().map(drop)
        } else {
            cache.set(cache_key!("write"), "precious").wait()
        };
        let error = written.expect_err("nothing was heard of it");
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
        proxy.wait_lost(lost);
        wait_until("a connection", || {
            cache.get::<String>(cache_key!("write")).wait().is_ok_and(|value| value == "precious")
        });
        assert_eq!(server.calls()["set"], 1, "it was done once");
    }
}

#[test]
fn what_a_token_guards_and_what_only_reads_is_sent_again_and_takes_place_once() {
    let _alone = alone();
    let (server, proxy, cache) = through_a_proxy();
    unheard(1);
    // What each request has that no other one has.
    let requests = [("MGET", "MGET"), ("lease", "$5\r\n10000\r\n")];
    for (lost, (about, containing)) in (1..).zip(requests) {
        server.command(&["DEL", "keyedcache:1:unheard::1"]);
        let (runs, saved) = (RUNS.load(Ordering::SeqCst), cache.stats().saved);
        wait_until("the deletion", || unheard::peek(1).wait().is_err());
        proxy.lose_replies(1, containing);
        assert_eq!(unheard(1), runs + 1, "{about}");
        proxy.wait_lost(lost);
        assert_eq!(cache.stats().saved, saved + 1, "{about}");
        assert_eq!(RUNS.load(Ordering::SeqCst), runs + 1, "{about}");
    }
    let errors = cache.stats().store_errors;
    assert_eq!(errors, 0, "each was sent again");

    // An invalidation too: nothing is known of it but that it was taken.
    proxy.lose_replies(1, ":generation");
    let known = unheard(1);
    unheard::invalidate_all().wait().unwrap();
    proxy.wait_lost(3);
    assert!(unheard(1) > known);
}

#[test]
fn save_whose_reply_was_lost_costs_its_caller_nothing_and_is_stored_once() {
    let _alone = alone();
    let (server, proxy, cache) = through_a_proxy();
    unheard(2);
    server.command(&["DEL", "keyedcache:1:unheard::2"]);
    wait_until("the deletion", || unheard::peek(2).wait().is_err());
    let runs = RUNS.load(Ordering::SeqCst);
    proxy.lose_replies(1, "$5\r\nlease\r\n"); // the kind of its guard
    assert_eq!(unheard(2), runs + 1);
    proxy.wait_lost(1);
    assert_eq!(cache.stats().store_errors, 1);
    // The lease ended with the save: nobody waits for it.
    wait_until("a connection", || unheard::peek(2).wait().is_ok());
    assert_eq!(unheard(2), runs + 1, "it is stored");
}
