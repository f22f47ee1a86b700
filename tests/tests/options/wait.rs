//! `wait`: how long a call waits for another's answer before it computes by itself.

use std::thread;
use std::time::{Duration, Instant};

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;
use keyedcache_tests::watchdog::{PATIENCE, wait_until, within};

static GATE: Gate = Gate::new();

#[cached(cache = "o_wait", timeout = 60, wait = "50ms")]
fn with() -> usize {
    GATE.pass()
}

#[test]
fn past_it_a_call_computes_alone_and_stores_nothing() {
    within(PATIENCE, || {
        let (cache, _) = timed("o_wait");
        GATE.close();
        let came = Instant::now();
        let callers: Vec<_> = (0..2).map(|_| thread::spawn(with)).collect();
        wait_until("both compute", || GATE.running() == 2);
        assert!(came.elapsed() >= Duration::from_millis(50));
        GATE.open();
        assert!(callers.into_iter().all(|caller| caller.join().is_ok()));
        let stats = cache.stats();
        assert_eq!((stats.computed, stats.computed_alone, stats.saved), (1, 1, 1));
    });
}
