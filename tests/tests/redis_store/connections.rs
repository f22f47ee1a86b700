//! Ways to reach a server, and what is said when it cannot be.

use std::time::{Duration, Instant};

use keyedcache::store::{HolderId, LeaseToken, RedisStore, Store};
use keyedcache::{Cache, ErrorKind};
use keyedcache_tests::drive::wait;
use keyedcache_tests::proxy::Proxy;
use keyedcache_tests::redis::{Options, Server};
use keyedcache_tests::stored::{HOUR, key, record, save, slot};
use keyedcache_tests::watchdog::wait_until;

use crate::ground::{connected, ground, open, patient};

#[test]
fn sockets_serve() {
    let server = Server::start();
    let store = open(&format!("redis+unix://{}?db=1", server.socket().display()));
    save(&store, "k", record(1, 50)).unwrap();
    assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, 50)));
}

#[test]
fn tls_serves_whom_the_certificate_is_good_for() {
    let server = Options::new().tls().start();
    let root = std::fs::read(server.certificate()).unwrap();
    let store = connected(patient(&server.url()).tls_root(root));
    save(&store, "k", record(1, 50)).unwrap();
    assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, 50)));
    let stranger = patient(&server.url()).build().unwrap();
    let error = slot(&stranger, "k").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("ertificate"), "{error}");
}

#[test]
fn users_log_in() {
    let server = Options::new().user("app", "hunter2").start();
    let store = open(&server.url());
    save(&store, "k", record(1, 50)).unwrap();
    assert!(!format!("{store:?} {}", store.name()).contains("hunter2"));
}

/// What an operation says that fails because of what is in the URL, or of what is there.
fn refusal(url: &str) -> String {
    let store = patient(url).build().expect("the URL is right");
    let error = slot(&store, "k").expect_err("it cannot be used");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let start = Instant::now();
    assert!(slot(&store, "k").is_err());
    assert!(start.elapsed() < Duration::from_secs(2), "known by now, so at once");
    format!("{error} {error:?}")
}

#[test]
fn what_is_wrong_is_said_and_no_password() {
    let server = Options::new().password("hunter2").start();
    let address = server.address();
    assert!(refusal(&format!("redis://:wrong7@{address}")).contains("WRONGPASS"));
    assert!(refusal(&format!("redis://{address}")).contains("NOAUTH"));
    assert!(refusal(&format!("redis://:hunter2@{address}/99")).contains("out of range"));
    for said in [
        refusal(&format!("redis://:wrong7@{address}")),
        refusal(&format!("redis://:hunter2@{address}/99")),
    ] {
        assert!(!said.contains("wrong7") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn replica_is_refused_and_the_primary_of_several_is_found() {
    let server = Server::start();
    let replica = server.replica();
    assert!(refusal(&replica.url()).contains("read-only replica"));
    let both = format!("redis://{},{}", replica.address(), server.address());
    let store = open(&both);
    save(&store, "k", record(1, 50)).unwrap();
}

#[test]
fn require_says_what_is_wrong() {
    let server = Options::new().password("hunter2").start();
    let cache = Cache::from_url(&format!("redis://:wrong7@{}", server.address())).unwrap();
    let error = cache.require().wait().unwrap_err();
    assert!(error.to_string().contains("WRONGPASS"), "{error}");
    let cache = Cache::from_url(&format!("{}?store_timeout=8", server.url())).unwrap();
    cache.require().wait().unwrap();
}

#[test]
fn server_that_is_down_fails_calls_at_once_until_it_is_back() {
    let (server, _) = ground();
    let proxy = Proxy::to(&server.address());
    let store = connected(patient(&server.url_at(&proxy.address())));
    proxy.refuse();
    wait_until("the loss", || slot(&store, "k").is_err());
    wait_until("that it is known", || {
        let start = Instant::now();
        slot(&store, "k").is_err() && start.elapsed() < Duration::from_millis(50)
    });
    proxy.pass();
    let start = Instant::now();
    wait_until("the return", || slot(&store, "k").is_ok());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn server_that_hangs_costs_one_timeout_and_then_nothing() {
    let (server, _) = ground();
    let timeout = Duration::from_millis(300);
    let store = connected(RedisStore::builder(&server.url()).timeout(timeout));
    server.freeze();
    let start = Instant::now();
    assert_eq!(slot(&store, "k").unwrap_err().kind(), ErrorKind::Timeout);
    assert!(start.elapsed() >= timeout);
    let start = Instant::now();
    assert_eq!(slot(&store, "k").unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(start.elapsed() < timeout, "{:?}", start.elapsed());
    server.thaw();
    wait_until("the return", || slot(&store, "k").is_ok());
}

#[test]
fn connection_cut_in_the_middle_is_made_again_and_reads_do_not_notice() {
    let (server, _) = ground();
    let proxy = Proxy::to(&server.address());
    let store = connected(patient(&server.url_at(&proxy.address())));
    save(&store, "k", record(1, 50)).unwrap();
    for _ in 0..20 {
        proxy.cut();
        assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, 50)));
    }
}

#[test]
fn save_whose_reply_was_lost_is_not_sent_twice() {
    let (server, _) = ground();
    let proxy = Proxy::to(&server.address());
    let store = connected(patient(&server.url_at(&proxy.address())));
    let counter = {
        let header = keyedcache::record::Header::new(store.now());
        keyedcache::record::Record::counter(header, 0).unwrap()
    };
    save(&store, "hits", counter.clone()).unwrap();
    wait(store.increment(&key("hits"), counter.id(), 1)).unwrap();
    proxy.lose_replies(1, "EVALSHA");
    let error = wait(store.increment(&key("hits"), counter.id(), 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    wait_until("the return", || slot(&store, "hits").is_ok());
    assert_eq!(server.command(&["GET", "hits"]).text(), "2", "once each");
}

#[test]
fn lease_whose_reply_was_lost_is_asked_for_again() {
    let (server, _) = ground();
    let proxy = Proxy::to(&server.address());
    let store = connected(patient(&server.url_at(&proxy.address())));
    let token = LeaseToken::random(HolderId::random());
    proxy.lose_replies(1, "EVALSHA");
    let lease = wait(store.lease(&key("k"), token, HOUR, None)).unwrap();
    assert_eq!(lease, keyedcache::store::Leasing::Granted);
}

#[test]
fn store_outlives_the_runtime_that_used_it_first() {
    let (_server, store) = ground();
    let first = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    first.block_on(store.load(&[key("k")], &[])).unwrap();
    drop(first);
    slot(&store, "k").unwrap();
}

#[test]
fn clock_is_the_servers() {
    let (server, store) = ground();
    let time = server.command(&["TIME"]);
    let seconds = time.list()[0].number();
    let told = i64::try_from(store.now().as_micros() / 1_000_000).unwrap();
    assert!((told - seconds).abs() <= 2, "{told} {seconds}");
}
