//! Reads that are sent again as they were signed: what the server sees of them, and what is answered
//! where it does not take them.

use std::sync::Arc;
use std::time::Duration;

use keyedcache::store::{Guard, S3Store, Store};
use keyedcache::{Cache, ErrorKind, cache_key};
use keyedcache_tests::drive::wait;
use keyedcache_tests::s3::{Fault, Operation, Rule, S3Server};
use keyedcache_tests::stored::{key, record};

/// A store that has read a record a moment ago.
fn warm(server: &S3Server) -> S3Store {
    let store = server.store("app");
    wait(store.save(&key("k"), record(1, 40), None, Guard::Always, &[])).unwrap();
    assert!(is_there(&store, "k"));
    store
}

fn is_there(store: &S3Store, text: &str) -> bool {
    wait(store.load(&[key(text)], &[])).unwrap().slots.remove(0).record.is_some()
}

#[test]
fn each_hit_asks_the_server_by_requests_that_were_made_once() {
    let server = S3Server::start();
    let (store, other) = (server.store("app"), server.store("app"));
    let cache = Cache::builder().store(Arc::new(store)).build().unwrap();
    let hit = || cache.get::<u64>(cache_key!("n", 1)).wait();
    cache.set(cache_key!("n", 1), &7).wait().unwrap();
    hit().unwrap();
    let (made, gets) = (server.invocations(), server.counts().get);
    for _ in 0..20 {
        assert_eq!(hit().unwrap(), 7);
    }
    assert_eq!(server.counts().get - gets, 20 * 3, "each asks");
    assert_eq!(server.invocations(), made);
    let others = Cache::builder().store(Arc::new(other)).build().unwrap();
    others.set(cache_key!("n", 1), &8).wait().unwrap();
    assert_eq!(hit().unwrap(), 8);
    others.delete(cache_key!("n", 1)).wait().unwrap();
    hit().unwrap_err();
}

#[test]
fn server_that_takes_no_request_twice_is_asked_anew_and_spared_for_a_while() {
    let server = S3Server::start();
    let store = warm(&server);
    server.refuse_repeated();
    let gets = server.counts().get;
    for _ in 0..20 {
        assert!(is_there(&store, "k"));
    }
    assert_eq!(server.counts().get - gets, 20 + 1, "one was in vain");
}

/// Servers close connections that have been idle, and now and then just when one is used.
#[test]
fn connection_that_breaks_ends_no_more_than_one_read() {
    let server = S3Server::start();
    let store = warm(&server);
    for fault in [Fault::LoseRequest, Fault::LoseAnswer, Fault::CutBody] {
        server.add_fault(Rule::always(fault).on(Operation::Get).times(1));
        assert!(is_there(&store, "k"), "{fault:?}");
    }
    let made = server.invocations();
    assert!(is_there(&store, "k"));
    assert_eq!(server.invocations(), made);
}

#[test]
fn whatever_becomes_of_a_read_that_is_sent_again_it_is_asked_anew() {
    for fault in [
        Fault::Status(403, "ExpiredToken"),
        Fault::Status(503, "SlowDown"),
        Fault::LoseAnswer,
        Fault::LoseRequest,
        Fault::CutBody,
        Fault::Delay(Duration::from_secs(3)),
    ] {
        let server = S3Server::start();
        let store =
            server.builder("app").attempt_timeout(Duration::from_millis(500)).build().unwrap();
        wait(store.save(&key("k"), record(1, 40), None, Guard::Always, &[])).unwrap();
        assert!(is_there(&store, "k"));
        server.add_fault(Rule::always(fault).on(Operation::Get).times(1));
        assert!(is_there(&store, "k"), "{fault:?}");
        assert_eq!(server.mend(), [1]);
    }
}

#[test]
fn absent_object_and_absent_bucket_are_told_apart() {
    let server = S3Server::start();
    let store = warm(&server);
    server.lose_bucket(true);
    let error = wait(store.load(&[key("k")], &[])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("the bucket `kept` does not exist"), "{error}");
    server.lose_bucket(false);

    let store = warm(&server);
    wait(server.store("app").delete(&[key("k")])).unwrap();
    let gets = server.counts().get;
    assert!(!is_there(&store, "k"));
    assert_eq!(server.counts().get - gets, 1, "that it is absent is an answer");
}
