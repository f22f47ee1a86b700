//! A server that is gone, or does not answer, or answers late, or whose connections are cut.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::{ErrorKind, cached};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::proxy::Proxy;
use keyedcache_tests::redis::Server;
use keyedcache_tests::watchdog::wait_until;

use crate::site::{
    AT_MOST, KNOWN, NEAR_TRUST, Site, change, fresh, serves, told, told_elsewhere, truth,
};

#[test]
fn killed_server_costs_nobody_more_than_its_time_and_is_used_when_it_is_back() {
    let server = Server::start();
    let site = Site::on(&server);
    let before = truth();
    server.kill();
    serves(before);
    let refused = change(false).expect_err("there is nobody who could have taken it");
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    let began = Instant::now();
    for _ in 0..20 {
        told(fresh());
    }
    assert!(began.elapsed() < AT_MOST, "who asks a server that is gone waits for it again");
    server.restart();
    site.comes_right(&server, Instant::now());
}

#[test]
fn server_that_pauses_for_five_seconds_costs_nobody_more_than_its_time() {
    let server = Server::start();
    let site = Site::on(&server);
    let pause = Duration::from_secs(5);
    let returns = Instant::now() + pause;
    server.pause(pause);
    stays_away(returns);
    site.comes_right(&server, returns);
}

#[test]
fn server_that_sleeps_costs_nobody_more_than_its_time() {
    let server = Server::start();
    let site = Site::on(&server);
    let sleep = Duration::from_secs(4);
    let returns = Instant::now() + sleep;
    server.send(&["DEBUG", "SLEEP", "4"]);
    stays_away(returns);
    site.comes_right(&server, returns);
}

/// Asks all the while, and changes the truth once: who is told that it was not heard may hope, and
/// who asks much later gets nothing of before.
fn stays_away(returns: Instant) {
    let before = truth();
    serves(before);
    let refused = change(false).expect_err("nobody answers");
    assert!(
        [ErrorKind::Timeout, ErrorKind::Unavailable].contains(&refused.kind()),
        "another error: {refused:?}"
    );
    let began = Instant::now();
    for _ in 0..8 {
        told(fresh());
    }
    assert!(began.elapsed() < AT_MOST * 2, "each waits anew for a server that does not answer");
    let silent = Instant::now() + NEAR_TRUST;
    while Instant::now() + AT_MOST * 2 < returns {
        // An invalidation voids what is near in its own process, whatever becomes of it.
        serves(before + 1);
        if Instant::now() > silent {
            assert_eq!(told_elsewhere(KNOWN), truth(), "near caches are still trusted");
        }
        thread::sleep(Duration::from_millis(20)); // so as not to take the machine from others
    }
    thread::sleep(returns.saturating_duration_since(Instant::now()));
}

#[test]
fn slow_server_costs_a_call_its_time_once_however_many_operations_it_needs() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let site = Site::at(&server.url_at(&proxy.address()), &server.url());
    site.comes_right(&server, Instant::now());
    // One operation is in time; a call that needs three is not.
    proxy.delay(AT_MOST * 36 / 100);
    change(true).unwrap();
    told_elsewhere(KNOWN);
    let hits = site.cache.stats().store_hits;
    for _ in 0..3 {
        serves(0);
    }
    assert!(site.cache.stats().store_hits > hits, "nothing was in time");
    proxy.pass();
    site.comes_right(&server, Instant::now());
}

#[test]
fn late_save_is_stored_in_the_background_and_its_caller_does_not_wait_for_it() {
    static GATE: Gate = Gate::new();

    #[cached(cache = "site", name = "saved_late")]
    fn saved_late(key: u64) -> usize {
        assert!(key < u64::MAX);
        GATE.pass()
    }

    let server = Server::start();
    let site = Site::on(&server);
    GATE.close();
    let caller = thread::spawn(|| saved_late(1));
    wait_until("it runs", || GATE.running() == 1);
    let returns = Instant::now() + Duration::from_secs(1);
    server.pause(Duration::from_secs(1));
    GATE.open();
    let began = Instant::now();
    assert_eq!(caller.join().unwrap(), 1);
    assert!(began.elapsed() < AT_MOST * 2, "it took {:?}", began.elapsed());
    thread::sleep(returns.saturating_duration_since(Instant::now()));
    wait_until("it is stored", || saved_late::peek(1).wait().is_ok());
    assert_eq!(site.cache.stats().refused, 0);
}

#[test]
fn who_waits_for_another_process_computes_soon_after_the_server_has_fallen_silent() {
    static GATE: Gate = Gate::new();

    #[cached(cache = "site", name = "waited_for")]
    fn waited_for(key: u64) -> u64 {
        key
    }

    #[cached(cache = "site_elsewhere", name = "waited_for")]
    fn waited_for_elsewhere(key: u64) -> u64 {
        GATE.pass();
        key
    }

    let server = Server::start();
    let site = Site::on(&server);
    GATE.close();
    let computing = thread::spawn(|| waited_for_elsewhere(1));
    wait_until("it runs", || GATE.running() == 1);
    let waiting = thread::spawn(|| waited_for(1));
    wait_until("it waits", || site.cache.stats().waited == 1);
    server.freeze();
    let began = Instant::now();
    assert_eq!(waiting.join().unwrap(), 1);
    let took = began.elapsed();
    // A sign of life is asked for each second.
    let at_most = Duration::from_secs(1) + NEAR_TRUST + AT_MOST * 2;
    assert!(took < at_most, "it took {took:?}");
    GATE.open();
    assert_eq!(computing.join().unwrap(), 1);
    server.thaw();
    site.comes_right(&server, Instant::now());
}

#[test]
fn connections_that_are_cut_again_and_again_cost_nobody_more_than_their_time() {
    const CUTS: usize = 20;

    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let site = Site::at(&server.url_at(&proxy.address()), &server.url());
    site.comes_right(&server, Instant::now());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut rounds = 0;
            while !is_over.load(Ordering::Acquire) {
                serves(0);
                rounds += 1;
            }
            rounds
        });
        for _ in 0..CUTS {
            let connections = proxy.traffic().connections;
            proxy.cut();
            wait_until("another connection", || proxy.traffic().connections > connections);
            thread::sleep(Duration::from_millis(20)); // for some to be cut at work
        }
        is_over.store(true, Ordering::Release);
        assert!(asking.join().unwrap() > 0);
    });
    site.comes_right(&server, Instant::now());
}

#[test]
fn what_is_invalidated_elsewhere_while_a_connection_is_cut_is_not_missed() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let site = Site::at(&server.url_at(&proxy.address()), &server.url());
    site.comes_right(&server, Instant::now());
    for _ in 0..10 {
        let near = site.cache.stats().near_hits;
        wait_until("a near hit", || told(KNOWN) == truth() && site.cache.stats().near_hits > near);
        proxy.refuse();
        let truth = change(true).unwrap();
        wait_until("the loss of the connection", || told(KNOWN) == truth);
        serves(truth);
        proxy.pass();
        let saved = site.cache.stats().saved;
        wait_until("a connection", || {
            assert_eq!(told(KNOWN), truth, "what was read before is served again");
            told(fresh());
            site.cache.stats().saved > saved
        });
    }
    site.comes_right(&server, Instant::now());
}
