//! Finding out whether preconditions are heeded, and servers whose clock is wrong.

use std::thread;
use std::time::Duration;

use keyedcache::record::Scope;
use keyedcache::store::{Guard, HolderId, LeaseToken, Leasing, Severity, Store};
use keyedcache_tests::drive::wait;
use keyedcache_tests::s3::{Fault, Operation, Rule, S3Server};
use keyedcache_tests::stored::{key, record};

const HOUR: Duration = Duration::from_hours(1);

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

/// Each writes both tokens, and the one that lands last has read them before the other was written.
#[test]
fn soft_invalidation_that_lands_late_does_not_bring_a_hard_one_back() {
    let server = S3Server::start();
    let (one, other) = (server.store("app"), server.store("app"));
    let scope = [Scope::new("scope")];
    let before = wait(one.generations(&scope)).unwrap()[0];
    // What is asked of the server once comes before.
    for store in [&one, &other] {
        wait(store.invalidate(&[Scope::new("first")], Severity::Hard)).unwrap();
    }
    let late = Fault::Delay(Duration::from_millis(800));
    server.add_fault(Rule::always(late).on(Operation::Put).within("generations").times(1));
    let puts = server.counts().put;
    thread::scope(|threads| {
        let soft = threads.spawn(|| wait(one.invalidate(&scope, Severity::Soft)));
        while server.counts().put == puts {
            thread::yield_now();
        }
        wait(other.invalidate(&scope, Severity::Hard)).unwrap();
        soft.join().unwrap().unwrap();
    });
    let after = wait(other.generations(&scope)).unwrap()[0];
    assert!(after.hard != before.hard && after.soft != before.soft);
}
