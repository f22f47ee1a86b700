//! The first call of a function: its generations are made by it, of which the server tells it, too.

use std::thread;

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::Place;
use keyedcache_tests::redis::Server;
use keyedcache_tests::watchdog::wait_until;

static GATE: Gate = Gate::new();

#[cached(cache = "first", timeout = 60, single_flight = "process")]
fn first() -> usize {
    GATE.pass()
}

#[test]
fn who_comes_while_the_first_call_computes_follows_it() {
    let server = Server::start();
    let cache = Place::redis(&server.url()).register("first");
    cache.require().wait().expect("the server is up");
    GATE.close();
    let leader = thread::spawn(first);
    wait_until("it computes", || GATE.running() == 1);
    server.reset_calls();
    let followers = [0; 3].map(|_| thread::spawn(first));
    let reads = || server.calls().get("mget").copied().unwrap_or_default();
    wait_until("all have come", || reads() >= 3 || GATE.running() > 1);
    GATE.open();
    for caller in followers.into_iter().chain([leader]) {
        assert_eq!(caller.join().expect("no panic"), 1);
    }
    assert_eq!(GATE.runs(), 1);
}
