//! A server that answers, and refuses.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::ErrorKind;
use keyedcache_tests::redis::{Options, Server};

use crate::site::{KNOWN, SOON, Site, change, serves, told, told_elsewhere, truth};

/// What `Cache::require` says, and that it comes at once.
fn complaint(site: &Site) -> String {
    let error = site.cache.require().wait().expect_err("it cannot be used");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    error.to_string()
}

#[test]
fn wrong_password_is_told_without_it_and_calls_go_on_until_it_is_right() {
    let server = Options::new().password("correct").start();
    let wrong = server.url().replace("correct", "mistaken");
    let site = Site::at(&wrong, &server.url());
    serves(0);
    let complaint = complaint(&site);
    assert!(complaint.contains("WRONGPASS"), "{complaint}");
    assert!(complaint.contains(&server.address()), "{complaint}");
    assert!(!complaint.contains("mistaken"), "{complaint}");
    server.command(&["ACL", "SETUSER", "default", ">mistaken"]);
    site.comes_right(&server, Instant::now());
}

#[test]
fn wrong_database_is_told_and_calls_go_on() {
    let server = Server::start();
    let site = Site::at(&format!("{}/99", server.url()), &server.url());
    for _ in 0..3 {
        serves(0);
    }
    let complaint = complaint(&site);
    assert!(complaint.contains("out of range") && complaint.contains("/99"), "{complaint}");
}

#[test]
fn replica_is_not_used_until_it_is_a_primary() {
    let primary = Server::start();
    let replica = primary.replica();
    let site = Site::at(&replica.url(), &replica.url());
    serves(0);
    let complaint = complaint(&site);
    assert!(complaint.contains("read-only replica"), "{complaint}");
    replica.lead();
    let there = Instant::now();
    site.comes_right(&replica, there);
}

#[test]
fn primary_that_becomes_a_replica_is_not_used_until_it_is_one_again() {
    let (server, other) = (Server::start(), Server::start());
    let site = Site::on(&server);
    let before = truth();
    server.follow(&other);
    serves(before);
    let became = Instant::now();
    while change(false).is_ok() {
        assert!(became.elapsed() < SOON, "a replica takes what it must not");
    }
    serves(before);
    server.lead();
    site.comes_right(&server, Instant::now());
}

#[test]
fn server_that_loads_an_older_snapshot_brings_nothing_back() {
    let server = Options::new().slow_to_load(Duration::from_micros(300)).start();
    let site = Site::on(&server);
    told(KNOWN);
    server.command(&["DEBUG", "POPULATE", "3000"]);
    let snapshot = server.snapshot();
    let truth = change(false).unwrap();
    server.kill();
    fs::write(server.folder().join("dump.rdb"), snapshot).unwrap();
    server.launch();
    // Refused while it loads, then answered.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        serves(truth);
    }
    assert!(server.wait_ready());
    let there = Instant::now();
    thread::sleep(SOON);
    assert_eq!(told_elsewhere(KNOWN), truth, "what was invalidated is back");
    assert_eq!(told(KNOWN), truth, "what was invalidated is back");
    site.comes_right(&server, there + SOON);
}

#[test]
fn server_without_memory_serves_what_it_has_and_takes_invalidations() {
    let server = Server::start();
    let site = Site::on(&server);
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    serves(truth());
    for is_elsewhere in [true, false] {
        let truth = change(is_elsewhere).expect("room is needed by none of it");
        let changed = Instant::now();
        while told(KNOWN) != truth || told_elsewhere(KNOWN) != truth {
            assert!(changed.elapsed() < SOON, "what was invalidated is served");
        }
        serves(truth);
    }
    let full = site.cache.require().wait().expect_err("it takes nothing");
    assert_eq!(full.kind(), ErrorKind::Full, "{full}");
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    site.comes_right(&server, Instant::now());
}
