//! A server that fails, dawdles, breaks off and loses answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::record::{Header, Record, Scope};
use keyedcache::store::{
    Guard, HolderId, Incremented, LeaseToken, Leasing, Release, Severity, Store,
};
use keyedcache::{Cache, ErrorKind, Moment, cache_key};
use keyedcache_tests::drive::wait;
use keyedcache_tests::s3::{Fault, Operation, Rule, S3Server};
use keyedcache_tests::stored::{key, record};

const HOUR: Duration = Duration::from_hours(1);

/// What goes wrong once and is to be got over without anybody noticing.
const PASSING: [Fault; 7] = [
    Fault::Status(500, "InternalError"),
    Fault::LateStatus(500, "InternalError"),
    Fault::Status(503, "SlowDown"),
    Fault::Status(409, "ConditionalRequestConflict"),
    Fault::LoseAnswer,
    Fault::LoseRequest,
    Fault::CutBody,
];

fn token() -> LeaseToken {
    LeaseToken::random(HolderId::random())
}

#[test]
fn whatever_fails_once_is_got_over() {
    for fault in PASSING {
        for operation in [Operation::Get, Operation::Put] {
            if operation == Operation::Get && matches!(fault, Fault::Status(409, _)) {
                continue; // no server answers a read so
            }
            let server = S3Server::start();
            let (store, other) = (server.store("app"), server.store("app"));
            // Whether conditions are heeded is asked before anything goes wrong.
            wait(store.lease(&key("first"), token(), HOUR, None)).unwrap();
            let once = |within| {
                server.add_fault(Rule::always(fault).on(operation).within(within).times(1));
            };
            let what = format!("{fault:?} of {operation:?}");

            once("records");
            let holder = token();
            let leasing = wait(store.lease(&key("k"), holder, HOUR, None)).unwrap();
            assert_eq!(leasing, Leasing::Granted, "{what}");
            once("records");
            let computed = record(1, 40);
            let save =
                wait(store.save(&key("k"), computed.clone(), None, Guard::Lease(holder), &[]));
            assert!(save.unwrap(), "{what}");
            once("records");
            let found = wait(other.load(&[key("k")], &[])).unwrap().slots.remove(0);
            assert_eq!((found.record, found.lease), (Some(computed), None), "{what}");

            let scope = [Scope::new("scope")];
            once("generations");
            let before = wait(store.generations(&scope)).unwrap()[0];
            once("generations");
            wait(store.invalidate(&scope, Severity::Hard)).unwrap();
            let after = wait(other.generations(&scope)).unwrap()[0];
            assert!(before.hard != after.hard && before.soft == after.soft, "{what}");

            let counter = Record::counter(Header::new(Moment::from_micros(7)), 5).unwrap();
            wait(store.save(&key("n"), counter.clone(), None, Guard::Seen(None), &[])).unwrap();
            once("records");
            let sum = wait(store.increment(&key("n"), counter.id(), 1)).unwrap();
            assert_eq!(sum, Incremented::Sum(6), "{what}");
            assert_eq!(
                wait(other.increment(&key("n"), counter.id(), 1)).unwrap(),
                Incremented::Sum(7),
                "{what}"
            );
            server.mend();
        }
    }
}

#[test]
fn lease_whose_answer_was_lost_is_ones_own() {
    let server = S3Server::start();
    let store = server.store("app");
    wait(store.lease(&key("first"), token(), HOUR, None)).unwrap();
    let mine = token();
    server.add_fault(Rule::always(Fault::LoseAnswer).on(Operation::Put).times(1));
    assert_eq!(wait(store.lease(&key("k"), mine, HOUR, None)).unwrap(), Leasing::Granted);
    assert_eq!(server.mend(), [1]);
    let puts = server.counts().put;
    // What was asked for by somebody who then gave up, and did not hear of it, too.
    assert_eq!(
        wait(server.store("app").lease(&key("k"), mine, HOUR, None)).unwrap(),
        Leasing::Granted
    );
    assert!(server.counts().put > puts);
    assert!(wait(store.release(&key("k"), mine, Release::Abandoned)).unwrap());
    assert!(server.object("app/records/k.kc").is_none());
}

#[test]
fn count_that_may_have_been_replaced_says_that_it_does_not_know() {
    let server = S3Server::start();
    let store = server.store("app");
    let name = "app/records/n.kc";
    wait(store.save(&key("n"), record(1, 40), None, Guard::Always, &[])).unwrap();
    let strangers = server.object(name).unwrap();
    let counter = Record::counter(Header::new(Moment::from_micros(7)), 5).unwrap();
    wait(store.save(&key("n"), counter.clone(), None, Guard::Always, &[])).unwrap();
    let before = server.object(name).unwrap();
    wait(store.lease(&key("first"), token(), HOUR, None)).unwrap();

    // The answer is lost, and before anybody can look something else stands there.
    let late = Fault::Delay(Duration::from_millis(700));
    server.add_fault(Rule::always(Fault::LoseAnswer).on(Operation::Put).within("n.kc").times(1));
    server.add_fault(Rule::always(late).on(Operation::Get).within("n.kc").after(1).times(1));
    let counting = thread::spawn({
        let (store, id) = (store.clone(), counter.id());
        move || wait(store.increment(&key("n"), id, 1))
    });
    while server.object(name).is_some_and(|object| object.etag == before.etag) {
        thread::yield_now();
    }
    server.plant(name, &strangers.body, Duration::ZERO);
    let error = counting.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    assert_eq!(server.object(name).unwrap().etag, strangers.etag, "nothing was sent again");
}

/// A write that is on its way when its time is over may still arrive.
#[test]
fn count_that_may_still_arrive_says_that_it_does_not_know() {
    let server = S3Server::start();
    let store = server.builder("app").operation_timeout(Duration::from_secs(1));
    let store = store.attempt_timeout(Duration::from_millis(200)).build().unwrap();
    let counter = Record::counter(Header::new(Moment::from_micros(7)), 5).unwrap();
    let patient = server.store("app");
    wait(patient.save(&key("n"), counter.clone(), None, Guard::Always, &[])).unwrap();
    wait(store.load(&[key("n")], &[])).unwrap();
    let late = Fault::Delay(Duration::from_secs(30));
    server.add_fault(Rule::always(late).on(Operation::Put).within("n.kc"));
    let error = wait(store.increment(&key("n"), counter.id(), 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
}

/// The first request is given up, and takes place while the second is on its way, which is refused.
#[test]
fn save_that_took_place_after_it_was_given_up_is_ones_own() {
    let server = S3Server::start();
    let store = server.builder("app").attempt_timeout(Duration::from_secs(1)).build().unwrap();
    let mine = token();
    assert_eq!(wait(store.lease(&key("k"), mine, HOUR, None)).unwrap(), Leasing::Granted);
    for late in [1_500, 800] {
        let late = Fault::Delay(Duration::from_millis(late));
        server.add_fault(Rule::always(late).on(Operation::Put).within("k.kc").times(1));
    }
    let puts = server.counts().put;
    let save = wait(store.save(&key("k"), record(1, 40), None, Guard::Lease(mine), &[]));
    assert!(save.unwrap(), "it is stored, by nobody else");
    assert_eq!(server.counts().put - puts, 2);
}

#[test]
fn value_whose_answer_was_lost_is_not_set_again_over_a_newer_one() {
    for fault in [Fault::LoseAnswer, Fault::LateStatus(500, "InternalError")] {
        is_not_set_again_after(fault);
    }
}

fn is_not_set_again_after(fault: Fault) {
    let server = S3Server::start();
    let store = server.store("app");
    let name = "app/records/k.kc";
    wait(store.save(&key("k"), record(1, 40), None, Guard::Always, &[])).unwrap();
    let newer = server.object(name).unwrap();
    wait(store.save(&key("k"), record(2, 40), None, Guard::Always, &[])).unwrap();
    let before = server.object(name).unwrap();

    let late = Fault::Delay(Duration::from_millis(700));
    server.add_fault(Rule::always(fault).on(Operation::Put).within("k.kc").times(1));
    server.add_fault(Rule::always(late).on(Operation::Get).within("k.kc").times(1));
    let setting = thread::spawn({
        let store = store.clone();
        move || wait(store.save(&key("k"), record(3, 40), None, Guard::Always, &[]))
    });
    while server.object(name).is_some_and(|object| object.etag == before.etag) {
        thread::yield_now();
    }
    server.plant(name, &newer.body, Duration::ZERO);
    let error = setting.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    assert_eq!(server.object(name).unwrap().etag, newer.etag, "nothing was sent again");
}

#[test]
fn callers_have_their_answer_in_time_while_every_answer_takes_five_seconds() {
    let server = S3Server::start();
    let store =
        server.builder("app").operation_timeout(Duration::from_millis(500)).build().unwrap();
    let cache = Cache::builder()
        .store(Arc::new(store))
        .store_timeout(Duration::from_millis(500))
        .wait(Duration::from_secs(1))
        .build()
        .unwrap();
    let ask = |n: u64| cache.get_or_set(cache_key!("n", n)).compute(async move || n).wait();
    assert_eq!(ask(1), 1);
    server.add_fault(Rule::always(Fault::Delay(Duration::from_secs(5))));
    let start = Instant::now();
    assert_eq!((ask(1), ask(2)), (1, 2));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(cache.stats().store_errors > 0);
}

#[test]
fn nothing_stale_comes_back_after_an_invalidation_whose_answers_were_lost() {
    let server = S3Server::start();
    let cache = Cache::builder().store(Arc::new(server.store("app"))).build().unwrap();
    let truth = AtomicUsize::new(0);
    let ask = || {
        let read = async || truth.load(Ordering::SeqCst);
        cache.get_or_set(cache_key!("n", 1)).compute(read).wait()
    };
    ask();
    for fault in PASSING {
        for operation in [Operation::Get, Operation::Put, Operation::Delete] {
            if operation == Operation::Get && matches!(fault, Fault::Status(409, _)) {
                continue;
            }
            truth.fetch_add(1, Ordering::SeqCst);
            server.add_fault(Rule::always(fault).on(operation).times(2));
            cache.delete(cache_key!("n", 1)).wait().unwrap();
            server.mend();
            assert_eq!(ask(), truth.load(Ordering::SeqCst), "deleted: {fault:?} of {operation:?}");

            truth.fetch_add(1, Ordering::SeqCst);
            server.add_fault(Rule::always(fault).on(operation).times(2));
            cache.delete(cache_key!("n")).children().wait().unwrap();
            server.mend();
            assert_eq!(
                ask(),
                truth.load(Ordering::SeqCst),
                "invalidated: {fault:?} of {operation:?}"
            );
        }
    }
}

/// What this process has read a while ago is where a step may begin, and never where it ends.
#[test]
fn lease_that_was_seen_and_has_been_released_since_keeps_nobody() {
    let server = S3Server::start();
    let (store, other) = (server.store("app"), server.store("app"));
    let (theirs, mine) = (token(), token());
    wait(other.lease(&key("k"), theirs, HOUR, None)).unwrap();
    assert_eq!(wait(store.load(&[key("k")], &[])).unwrap().slots[0].lease, Some(theirs));
    wait(other.release(&key("k"), theirs, Release::Abandoned)).unwrap();
    assert_eq!(wait(store.lease(&key("k"), mine, HOUR, None)).unwrap(), Leasing::Granted);
}

#[test]
fn lost_bucket_costs_callers_a_computation_and_is_counted() {
    let server = S3Server::start();
    let cache = Cache::builder().store(Arc::new(server.store("app"))).build().unwrap();
    let runs = AtomicUsize::new(0);
    let ask = || {
        let run = async || runs.fetch_add(1, Ordering::SeqCst);
        cache.get_or_set(cache_key!("n", 1)).compute(run).wait()
    };
    assert_eq!((ask(), ask()), (0, 0));
    server.lose_bucket(true);
    assert_eq!((ask(), ask()), (1, 2));
    assert!(cache.stats().store_errors >= 2);
    let error = cache.require().wait().unwrap_err();
    assert!(error.to_string().contains("the bucket `kept` does not exist"), "{error}");
    assert!(cache.delete(cache_key!("n", 1)).wait().is_err(), "a deletion that failed is heard");
    server.lose_bucket(false);
    assert_eq!(ask(), 0, "it is as it was");
}

#[test]
fn holder_that_gives_up_while_it_is_being_granted_a_lease_leaves_none() {
    let server = S3Server::start();
    let store = server.store("app");
    wait(store.lease(&key("first"), token(), HOUR, None)).unwrap();
    server.add_fault(
        Rule::always(Fault::Delay(Duration::from_millis(300))).on(Operation::Put).times(1),
    );
    let mine = token();
    let key = key("k");
    let mut asking = store.lease(&key, mine, HOUR, None);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(asking.as_mut().poll(&mut context).is_pending());
    drop(asking);
    wait(store.release(&key, mine, Release::Abandoned)).unwrap();
    let slot = wait(server.store("app").load(&[key], &[])).unwrap().slots.remove(0);
    assert_eq!(slot.lease, None, "the late grant has come before the release");
}
