//! How many requests things cost, since they cost money.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use keyedcache::record::Scope;
use keyedcache::store::{Guard, HolderId, LeaseToken, Release, Severity, Store};
use keyedcache::{Cache, cache_key};
use keyedcache_tests::drive::wait;
use keyedcache_tests::s3::{Counts, Fault, Operation, Rule, S3Server};
use keyedcache_tests::stored::{key, record};

fn counted<T>(server: &S3Server, act: impl FnOnce() -> T) -> Counts {
    let before = server.counts();
    act();
    server.counts().since(before)
}

#[test]
fn hit_is_one_get_and_one_for_each_scope_and_a_cold_call_two_puts_more() {
    let server = S3Server::start();
    let store = server.store("app");
    let cache = Cache::builder().store(Arc::new(store.clone())).build().unwrap();
    let ask = |n: u64| cache.get_or_set(cache_key!("n", n)).compute(async move || n).wait();
    ask(1); // finds out about the server, and makes the generations of the two scopes
    let cold = counted(&server, || ask(2));
    assert_eq!(cold, Counts { get: 3, put: 2, ..Counts::default() });
    let hit = counted(&server, || ask(2));
    assert_eq!(hit, Counts { get: 3, ..Counts::default() });
    let (told, came) = (store.requests(), server.counts());
    assert_eq!((told.get, told.put), (came.get, came.put), "each is counted");
}

#[test]
fn remembered_generations_leave_one_get_for_a_hit_and_none_of_ones_own_stale() {
    let server = S3Server::start();
    let store =
        server.builder("app").remember_generations(Duration::from_hours(1)).build().unwrap();
    let cache = Cache::builder().store(Arc::new(store.clone())).build().unwrap();
    let ask =
        |answer: u64| cache.get_or_set(cache_key!("n", 1)).compute(async move || answer).wait();
    ask(1);
    ask(1);
    let hit = counted(&server, || assert_eq!(ask(2), 1));
    assert_eq!(hit, Counts { get: 1, ..Counts::default() });

    let scope = [Scope::new("scope")];
    wait(store.generations(&scope)).unwrap();
    let read = || wait(store.load(&[], &scope)).unwrap().generations[0].expect("it was made");
    let before = read();
    assert_eq!(counted(&server, || assert_eq!(read(), before)).get, 0);
    wait(store.invalidate(&scope, Severity::Hard)).unwrap();
    assert_ne!(read().hard, before.hard, "what this process has invalidated is forgotten");
}

/// Of many who look at once each has its own read, sent after it came; but not each one of its own.
#[test]
fn crowd_that_finds_one_value_missing_shares_its_reads() {
    let server = S3Server::start();
    let cache = Cache::builder().store(Arc::new(server.store("app"))).build().unwrap();
    cache.get_or_set(cache_key!("n", 1)).compute(async || 1).wait();
    let runs = AtomicUsize::new(0);
    let run = async || {
        runs.fetch_add(1, Ordering::SeqCst);
        2
    };
    server.add_fault(Rule::always(Fault::Delay(Duration::from_millis(50))).on(Operation::Get));
    let crowd = counted(&server, || {
        thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| cache.get_or_set(cache_key!("n", 2)).compute(run).wait());
            }
        });
    });
    assert!(crowd.get < 200, "a look of each of them is three: {crowd:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    // Who has looked before the answer came asks for the lease in vain, once for all such callers.
    assert!((2..=4).contains(&crowd.put), "{crowd:?}");
}

/// A lease of a minute is looked at each third of it, and written again only when half is over.
#[test]
fn renewing_a_young_lease_writes_nothing() {
    let server = S3Server::start();
    let store = server.store("app");
    let token = LeaseToken::random(HolderId::random());
    let minute = Duration::from_mins(1);
    wait(store.lease(&key("k"), token, minute, None)).unwrap();
    let renewed =
        counted(&server, || assert!(wait(store.renew(&key("k"), token, minute)).unwrap()));
    assert_eq!(renewed, Counts { get: 1, ..Counts::default() });
    server.shift_clock(40);
    wait(store.load(&[key("other")], &[])).unwrap();
    let renewed =
        counted(&server, || assert!(wait(store.renew(&key("k"), token, minute)).unwrap()));
    assert_eq!(renewed.put, 1, "{renewed:?}");
}

#[test]
fn all_who_wait_in_one_process_have_one_poller() {
    let server = S3Server::start();
    let (holder, waiter) = (server.store("app"), server.store("app"));
    let token = LeaseToken::random(HolderId::random());
    wait(holder.lease(&key("k"), token, Duration::from_mins(1), None)).unwrap();
    let polls = counted(&server, || {
        thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    wait(waiter.changed(&key("k"), token, Duration::from_secs(30))).unwrap();
                });
            }
            // About twenty looks of one poller; fifty pollers would have a thousand.
            thread::sleep(Duration::from_secs(2));
            wait(holder.release(&key("k"), token, Release::Abandoned)).unwrap();
        });
    });
    assert!((5..120).contains(&polls.get), "{polls:?}");
}

#[test]
fn what_has_ended_is_deleted_after_somebody_came_across_it_and_nothing_newer_is() {
    let server = S3Server::start();
    let store = server.store("app");
    let (brief, replaced) = (key("brief"), key("replaced"));
    for key in [&brief, &replaced] {
        let ttl = Some(Duration::from_mins(1));
        wait(store.save(key, record(1, 40), ttl, Guard::Always, &[])).unwrap();
    }
    server.shift_clock(100);
    let slots = wait(store.load(&[brief, replaced.clone()], &[])).unwrap().slots;
    assert!(slots.iter().all(|slot| slot.record.is_none()), "it is not served: {slots:?}");
    wait(server.store("app").save(&replaced, record(2, 40), None, Guard::Always, &[])).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while server.object("app/records/brief.kc").is_some() || server.counts().delete < 2 {
        assert!(std::time::Instant::now() < deadline, "it is still there");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(server.object("app/records/replaced.kc").is_some(), "the newer one stays");
}
