//! Finding out whether preconditions are heeded, and servers whose clock is wrong.

use std::time::Duration;

use keyedcache::store::{Guard, HolderId, LeaseToken, Leasing, Store};
use keyedcache_tests::drive::wait;
use keyedcache_tests::s3::S3Server;
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
