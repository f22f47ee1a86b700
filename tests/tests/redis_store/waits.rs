//! What waiting for another's lease costs, and what ends it.

use std::time::{Duration, Instant};

use keyedcache::store::{Guard, HolderId, LeaseToken, Leasing, Release, Store};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::Server;
use keyedcache_tests::stored::{HOUR, key, record};

use crate::ground::{ground, open};

/// What clients asked of the server. What scripts do within is left out, and so is the second time a
/// script is sent that the server did not know yet.
fn asked(server: &Server) -> u64 {
    let calls = server.calls();
    ["mget", "evalsha"].iter().filter_map(|name| calls.get(*name)).sum()
}

#[test]
fn waiter_asks_nothing_between_the_lease_and_the_value() {
    let (server, holder) = ground();
    let waiter = open(&server.url());
    let (k, token) = (key("k"), LeaseToken::random(HolderId::random()));
    // The lease is granted after a look, which has the server push it.
    wait(waiter.load(std::slice::from_ref(&k), &[])).unwrap();
    assert_eq!(wait(holder.lease(&k, token, HOUR, None)).unwrap(), Leasing::Granted);
    wait(waiter.load(std::slice::from_ref(&k), &[])).unwrap();
    let own = LeaseToken::random(HolderId::random());
    let held = wait(waiter.lease(&k, own, HOUR, None)).unwrap();
    assert!(matches!(held, Leasing::Held { by, .. } if by == token), "{held:?}");
    server.reset_calls();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(waiter.changed(&k, token, HOUR)));
        wait(holder.save(&k, record(1, 50), None, Guard::Lease(token), &[])).unwrap();
        waiting.join().unwrap().unwrap();
    });
    assert_eq!(asked(&server), 1, "the holder's save, and nothing by the waiter");
}

/// The value is there before the wait begins: what was pushed meanwhile is not lost.
#[test]
fn wait_for_what_ended_before_it_began_is_over_at_once_and_asks_nothing() {
    let (server, holder) = ground();
    let waiter = open(&server.url());
    let (k, token) = (key("k"), LeaseToken::random(HolderId::random()));
    wait(holder.lease(&k, token, HOUR, None)).unwrap();
    wait(waiter.load(std::slice::from_ref(&k), &[])).unwrap();
    let own = LeaseToken::random(HolderId::random());
    wait(waiter.lease(&k, own, HOUR, None)).unwrap();
    wait(holder.save(&k, record(1, 50), None, Guard::Lease(token), &[])).unwrap();
    wait(waiter.load(std::slice::from_ref(&k), &[])).unwrap(); // after the push
    server.reset_calls();
    let start = Instant::now();
    wait(waiter.changed(&k, token, Duration::from_secs(5))).unwrap();
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(asked(&server), 0);
}

#[test]
fn renewals_cost_a_waiter_nothing_and_do_not_end_the_wait() {
    let (server, holder) = ground();
    let waiter = open(&server.url());
    let (k, token) = (key("k"), LeaseToken::random(HolderId::random()));
    wait(holder.lease(&k, token, HOUR, None)).unwrap();
    wait(waiter.load(std::slice::from_ref(&k), &[])).unwrap();
    let own = LeaseToken::random(HolderId::random());
    wait(waiter.lease(&k, own, HOUR, None)).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(waiter.changed(&k, token, HOUR)));
        server.reset_calls();
        for _ in 0..3 {
            assert!(wait(holder.renew(&k, token, HOUR)).unwrap());
        }
        wait(waiter.load(std::slice::from_ref(&k), &[])).unwrap(); // after all pushes
        assert!(!waiting.is_finished());
        wait(holder.save(&k, record(1, 50), None, Guard::Lease(token), &[])).unwrap();
        waiting.join().unwrap().unwrap();
    });
    assert_eq!(asked(&server), 5, "three renewals, a look and a save");
}

#[test]
fn every_end_of_a_lease_is_heard() {
    let (server, holder) = ground();
    let waiter = open(&server.url());
    for end in ["abandoned", "declined", "deleted"] {
        let (k, token) = (key(end), LeaseToken::random(HolderId::random()));
        wait(holder.lease(&k, token, HOUR, None)).unwrap();
        let own = LeaseToken::random(HolderId::random());
        wait(waiter.lease(&k, own, HOUR, None)).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(waiter.changed(&k, token, HOUR)));
            match end {
                "abandoned" => _ = wait(holder.release(&k, token, Release::Abandoned)).unwrap(),
                "declined" => _ = wait(holder.release(&k, token, Release::Declined)).unwrap(),
                _ => assert_eq!(wait(holder.delete(std::slice::from_ref(&k))).unwrap(), 0),
            }
            waiting.join().unwrap().unwrap();
        });
    }
    drop(server);
}

/// What goes with the lease is put there anew by who begins to wait, who is not to be told of that.
#[test]
fn who_begins_to_wait_does_not_wake_itself() {
    let (server, holder) = ground();
    let waiter = open(&server.url());
    let (k, token) = (key("k"), LeaseToken::random(HolderId::random()));
    wait(holder.lease(&k, token, HOUR, None)).unwrap();
    server.command(&["DEL", "{k}:held"]);
    let own = LeaseToken::random(HolderId::random());
    wait(waiter.lease(&k, own, HOUR, None)).unwrap();
    wait(waiter.load(std::slice::from_ref(&k), &[])).unwrap(); // after all pushes
    let (start, at_most) = (Instant::now(), Duration::from_millis(200));
    wait(waiter.changed(&k, token, at_most)).unwrap();
    assert!(start.elapsed() >= at_most, "it waited for {:?} only", start.elapsed());
}

#[test]
fn lost_connection_wakes_those_who_wait() {
    let (server, store) = ground();
    let (k, token) = (key("k"), LeaseToken::random(HolderId::random()));
    wait(store.lease(&k, token, HOUR, None)).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(store.changed(&k, token, HOUR)));
        // It waits once it has asked.
        keyedcache_tests::watchdog::wait_until("the question", || asked(&server) >= 2);
        server.kill();
        let _ = waiting.join().unwrap();
    });
}
