//! What is computed, put or saved anew is what is served from then on, whoever was at it before.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use keyedcache::store::MemoryStore;
use keyedcache::{Cache, cached};
use keyedcache_tests::drive::{Driven, block_on};
use keyedcache_tests::faulty::{Fault, Faulty, Operation};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::{Place, alone};
use keyedcache_tests::watchdog::wait_until;
use serde::{Deserialize, Deserializer, Serialize};

/// A cache on a store that a test interrupts.
fn interrupted() -> (Arc<Faulty>, Cache) {
    let store = Faulty::new(Arc::new(MemoryStore::new()));
    let cache = Cache::builder().store(store.clone()).build().unwrap();
    cache.register("anew").unwrap();
    (store, cache)
}

/// An answer that takes its time to be read.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Report(usize);

static READ: Gate = Gate::new();

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = usize::deserialize(deserializer)?;
        READ.pass();
        Ok(Self(number))
    }
}

#[test]
fn who_reads_the_older_answer_while_a_refresh_saves_does_not_keep_it_near() {
    static RUNS: Gate = Gate::new();
    #[cached(cache = "anew", timeout = Never)]
    fn report() -> Report {
        Report(RUNS.pass())
    }
    let _alone = alone();
    let (store, _cache) = interrupted();
    assert_eq!(report(), Report(1));
    let (tell, told) = mpsc::channel();
    store.interrupt(Operation::Save, move || {
        READ.close();
        thread::spawn(move || tell.send(report()));
        wait_until("it has read the older one", || READ.running() == 1);
    });
    assert_eq!(report::refresh().wait(), Report(2));
    READ.open();
    assert_eq!(told.recv().unwrap(), Report(1), "it came before");
    assert_eq!((report(), report()), (Report(2), Report(2)));
}

#[test]
fn an_answer_whose_caller_goes_away_while_it_is_saved_is_saved() {
    static RUNS: Gate = Gate::new();
    #[cached(cache = "anew", timeout = 60)]
    async fn number() -> usize {
        RUNS.pass_async().await
    }
    let _alone = alone();
    let (store, cache) = interrupted();
    let (began, saw) = (Arc::new(AtomicBool::new(false)), Duration::from_millis(100));
    let begins = Arc::clone(&began);
    store.interrupt(Operation::Save, move || begins.store(true, Ordering::Release));
    store.break_down(&[Operation::Save], Fault::AnswersAfter(saw));
    let mut call = Driven::new(number());
    wait_until("it is being saved", || {
        assert!(call.poll_times(1).is_pending());
        began.load(Ordering::Acquire)
    });
    drop(call);
    wait_until("it is saved", || cache.stats().saved == 1);
    assert_eq!(block_on(number()), 1);
}

#[test]
fn what_a_local_refresh_has_made_is_not_undone_by_who_began_before() {
    static RUNS: Gate = Gate::new();
    static FIRST: Gate = Gate::new();
    #[cached(cache = "anew", local, timeout = 60)]
    fn number() -> usize {
        let run = RUNS.pass();
        if run == 1 {
            FIRST.pass();
        }
        run
    }
    let _alone = alone();
    Place::memory().register("anew");
    FIRST.close();
    let first = thread::spawn(number);
    wait_until("it is at work", || FIRST.running() == 1);
    assert_eq!(number::refresh().wait(), 2);
    FIRST.open();
    assert_eq!(first.join().unwrap(), 1);
    assert_eq!(number(), 2);
}

#[test]
fn what_is_put_locally_is_there_though_all_was_forgotten_since_the_request_was_made() {
    static RUNS: Gate = Gate::new();
    #[cached(cache = "anew", local, timeout = 60)]
    fn number() -> usize {
        RUNS.pass()
    }
    let _alone = alone();
    Place::memory().register("anew");
    let put = number::put(1_000);
    number::invalidate_all().wait().unwrap();
    put.wait().unwrap();
    assert_eq!((number(), RUNS.runs()), (1_000, 0));
}

#[test]
fn what_no_store_keeps_needs_no_store_to_be_kept() {
    static RUNS: Gate = Gate::new();
    #[cached(cache = "anew", local, timeout = 60)]
    fn number() -> usize {
        RUNS.pass()
    }
    let _alone = alone();
    // Nobody listens there.
    Place::redis("redis://127.0.0.1:1").register("anew");
    assert_eq!((number(), number()), (1, 1));
    number::invalidate().wait().unwrap();
    assert_eq!((number(), number()), (2, 2));
}
