//! Primaries that are killed, and what their replicas had not seen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::record::Scope;
use keyedcache::store::{HolderId, LeaseToken, Leasing, Severity, Store};
use keyedcache::{Cache, cache_key};
use keyedcache_tests::drive::wait;
use keyedcache_tests::stored::{record, save, slot};
use keyedcache_tests::watchdog::wait_until;

use crate::ground::{borne, failing_over, key_at, made, open};

#[test]
fn what_was_struck_is_struck_again_at_the_replica_that_had_not_heard_of_it() {
    let (cluster, store) = failing_over();
    let primary = cluster.primary_of_slot(500);
    let scope = Scope::new("a::everything");
    let (here, gone) = (key_at(&cluster, primary, "here"), key_at(&cluster, primary, "gone"));
    let before = made(&store, &here, &scope);
    save(&store, gone.as_str(), record(1, 50)).unwrap();
    cluster.replica_of(primary).wait_in_step_with(primary);
    primary.cut_replication();
    wait(store.invalidate(std::slice::from_ref(&scope), Severity::Hard)).unwrap();
    assert_eq!(wait(store.delete(std::slice::from_ref(&gone))).unwrap(), 1);
    let slot_of_it = cluster.slot_of(gone.as_str()).to_string();
    let in_replica =
        cluster.replica_of(primary).command(&["CLUSTER", "COUNTKEYSINSLOT", &slot_of_it]);
    assert_eq!(in_replica.number(), 1, "it has not heard of it");
    primary.kill();
    cluster.wait_failover(primary);
    let other = open(&cluster, Duration::from_secs(8)); // as another process
    let is_struck = || {
        borne(&other, &here, &scope).is_none_or(|now| now.hard != before.hard)
            && slot(&other, gone.as_str()).unwrap().record.is_none()
    };
    let promoted = Instant::now();
    wait_until("it is struck again", is_struck);
    assert!(promoted.elapsed() < Duration::from_secs(3));
}

#[test]
fn killed_primary_takes_away_its_own_slots_alone_and_for_a_while() {
    let (cluster, store) = failing_over();
    let [dead, alive] = [500, 16000].map(|slot| cluster.primary_of_slot(slot));
    let quick = open(&cluster, Duration::from_millis(250));
    let lost = key_at(&cluster, dead, "lost");
    let kept = key_at(&cluster, alive, "kept");
    for key in [&lost, &kept] {
        save(&store, key.as_str(), record(1, 50)).unwrap();
    }
    cluster.replica_of(dead).wait_in_step_with(dead);
    dead.kill();
    let killed = Instant::now();
    wait_until("near caches are off", || !quick.trusted());
    assert_eq!(slot(&quick, kept.as_str()).unwrap().record, Some(record(1, 50)), "it is alive");
    let (mut longest, mut failures) = (Duration::ZERO, 0);
    loop {
        let began = Instant::now();
        let found = slot(&quick, lost.as_str());
        longest = longest.max(began.elapsed());
        match found {
            Ok(found) => {
                assert_eq!(found.record, Some(record(1, 50)));
                break;
            }
            Err(error) => assert!(error.is_temporary(), "{error}"),
        }
        failures += 1;
        assert!(killed.elapsed() < Duration::from_secs(20), "nobody takes over");
        thread::sleep(Duration::from_millis(1)); // as a caller that does something else
    }
    assert!(failures > 0 && longest < Duration::from_millis(600), "{failures} {longest:?}");
    cluster.wait_failover(dead);
    wait_until("trust", || quick.trusted());
}

/// Calls of a function in front of a cluster are answered in time, whatever becomes of it.
#[test]
fn calls_are_answered_in_time_while_a_primary_is_replaced() {
    let (cluster, _store) = failing_over();
    let cache = Cache::builder().url(&format!("{}?near=0", cluster.url())).build().unwrap();
    let call = |n: u64| {
        let began = Instant::now();
        let value = cache.get_or_set(cache_key!("n", n)).compute(async move || n).wait();
        (value, began.elapsed())
    };
    let dead = cluster.primary_of_slot(500);
    let is_over = AtomicBool::new(false);
    let longest = thread::scope(|threads| {
        let callers: Vec<_> = (0..4_u64)
            .map(|caller| {
                let (is_over, call) = (&is_over, &call);
                threads.spawn(move || {
                    let mut longest = Duration::ZERO;
                    for n in (caller * 1_000_000..).take_while(|_| !is_over.load(Ordering::Relaxed))
                    {
                        let (value, took) = call(n % 1000);
                        assert_eq!(value, n % 1000);
                        longest = longest.max(took);
                    }
                    longest
                })
            })
            .collect();
        dead.kill();
        cluster.wait_failover(dead);
        is_over.store(true, Ordering::Relaxed);
        callers.into_iter().map(|caller| caller.join().unwrap()).max()
    });
    assert!(longest < Some(Duration::from_millis(1200)), "{longest:?}");
    let is_right = |n| {
        call(n);
        cache.get::<u64>(cache_key!("n", n)).wait().ok() == Some(n)
    };
    let whole = Instant::now();
    wait_until("everything is stored again", || (2000..2050).all(is_right));
    assert!(whole.elapsed() < Duration::from_secs(2));
}

#[test]
fn lease_that_a_failover_loses_costs_a_second_execution_at_most() {
    let (cluster, store) = failing_over();
    let primary = cluster.primary_of_slot(500);
    let key = key_at(&cluster, primary, "leased");
    cluster.replica_of(primary).wait_in_step_with(primary);
    primary.cut_replication();
    let tokens = [(); 2].map(|()| LeaseToken::random(HolderId::random()));
    let lease = |token| wait(store.lease(&key, token, Duration::from_mins(1), None));
    assert_eq!(lease(tokens[0]).unwrap(), Leasing::Granted);
    primary.kill();
    cluster.wait_failover(primary);
    let mut granted = None;
    wait_until("the lease is granted again", || {
        granted = lease(tokens[1]).ok();
        granted.is_some()
    });
    assert_eq!(granted, Some(Leasing::Granted));
    let save = |token, record| {
        let guard = keyedcache::store::Guard::Lease(token);
        wait(store.save(&key, record, None, guard, &[])).unwrap()
    };
    assert!(!save(tokens[0], record(1, 50)), "the first holder has lost it");
    assert!(save(tokens[1], record(2, 50)));
    assert_eq!(slot(&store, key.as_str()).unwrap().record, Some(record(2, 50)));
}

#[test]
fn graceful_failover_is_followed_without_an_error() {
    let (cluster, store) = failing_over();
    let primary = cluster.primary_of_slot(500);
    let name = key_at(&cluster, primary, "k");
    save(&store, name.as_str(), record(1, 50)).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let reading = threads.spawn(|| {
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(slot(&store, name.as_str()).unwrap().record, Some(record(1, 50)));
                count += 1;
            }
            count
        });
        cluster.promote(cluster.replica_of(primary));
        is_over.store(true, Ordering::Relaxed);
        assert!(reading.join().unwrap() > 10);
    });
    assert_ne!(cluster.primary_of(name.as_str()).port(), primary.port());
}

/// A copy on a primary that is away cannot be struck.
#[test]
fn an_invalidation_that_does_not_reach_all_copies_is_an_error() {
    let (cluster, store) = failing_over();
    let (scope, dead) = (Scope::new("a::everything"), cluster.primary_of_slot(16383));
    let alive = cluster.primary_of_slot(0);
    let here = key_at(&cluster, alive, "here");
    let before = made(&store, &here, &scope);
    dead.kill();
    let strike = || wait(store.invalidate(std::slice::from_ref(&scope), Severity::Hard));
    let error = strike().unwrap_err();
    assert!(error.is_temporary(), "{error}");
    cluster.wait_failover(dead);
    wait_until("sending it again helps", || strike().is_ok());
    assert_ne!(borne(&store, &here, &scope).map(|now| now.hard), Some(before.hard));
}
