//! `single_flight`: who waits for one that computes.

use std::thread;
use std::time::Duration;

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::Place;
use keyedcache_tests::watchdog::{PATIENCE, wait_until, within};

static GATE: Gate = Gate::new();

#[cached(cache = "o_flight_a", name = "process", single_flight = "process")]
fn process() -> usize {
    GATE.pass()
}

#[cached(cache = "o_flight_b", name = "process", single_flight = "process")]
fn process_elsewhere() -> usize {
    GATE.pass()
}

#[cached(cache = "o_flight_a", name = "off", single_flight = "off")]
fn off() -> usize {
    GATE.pass()
}

#[cached(cache = "o_flight_a", name = "cluster", single_flight = "cluster")]
fn cluster() -> usize {
    GATE.pass()
}

#[cached(cache = "o_flight_b", name = "cluster")]
fn cluster_elsewhere() -> usize {
    GATE.pass()
}

/// How many run when these are called at once, each twice.
fn runs_of(functions: [fn() -> usize; 2], expected: usize) {
    let place = Place::memory();
    let caches = [place.register("o_flight_a"), place.register("o_flight_b")];
    GATE.reset();
    GATE.close();
    let callers: Vec<_> = functions.into_iter().chain(functions).map(thread::spawn).collect();
    wait_until("they run", || GATE.running() == expected);
    thread::sleep(Duration::from_millis(20)); // for one too many to come
    assert_eq!(GATE.runs(), expected);
    GATE.open();
    assert!(callers.into_iter().all(|caller| caller.join().is_ok()));
    drop(caches);
}

#[test]
fn all_processes_wait_or_the_own_one_or_nobody() {
    within(PATIENCE, || {
        runs_of([cluster, cluster_elsewhere], 1);
        runs_of([process, process_elsewhere], 2);
        runs_of([off, off], 4);
    });
}
