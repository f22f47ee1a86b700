//! Near caches in front of Redis hear of everything, or answer no more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyedcache::{Cache, cache_delete_function, cached};
use keyedcache_tests::place::{Place, alone};
use keyedcache_tests::proxy::Proxy;
use keyedcache_tests::redis::{Reply, Server};
use keyedcache_tests::watchdog::wait_until;

static RUNS: AtomicU64 = AtomicU64::new(0);

#[cached(cache = "kept", name = "kept", timeout = 600)]
fn kept(key: u64) -> u64 {
    assert!(key < u64::MAX);
    RUNS.fetch_add(1, Ordering::SeqCst) + 1
}

/// One for so long that the generations of its scopes have to be kept longer than they are made for.
#[cached(cache = "kept", name = "kept_long", timeout = "7 days")]
fn kept_long(key: u64) -> u64 {
    assert!(key < u64::MAX);
    RUNS.fetch_add(1, Ordering::SeqCst) + 1
}

fn is_near(cache: &Cache, call: fn(u64) -> u64) -> bool {
    let before = cache.stats();
    call(1);
    let after = cache.stats();
    after.near_hits == before.near_hits + 1 && after.store_hits == before.store_hits
}

/// Deletes what has a name that ends so, as others do who know nothing of caches.
fn delete(server: &Server, end: &str) {
    let names = server.command(&["KEYS", &format!("*{end}")]);
    let names: Vec<_> = names.list().iter().map(Reply::text).collect();
    assert!(!names.is_empty(), "nothing ends with {end}");
    let mut command = vec!["DEL".to_owned()];
    command.extend(names);
    server.command(&command);
}

#[test]
fn whatever_filled_a_near_cache_a_deletion_by_others_reaches_it() {
    /// How an entry comes to be near.
    type Filled = (&'static str, fn(&Cache, &Cache));
    let ways: [Filled; 6] = [
        ("saved", |_, _| {}),
        ("read", |cache, _| {
            cache.enable(false);
            cache.enable(true); // empties it
        }),
        ("saved anew", |_, _| assert!(kept::refresh(1).wait() > 0)),
        ("saved anew by another", |_, elsewhere| {
            elsewhere.delete(kept::key(1)).wait().unwrap();
        }),
        ("put", |_, _| kept::put(1, RUNS.fetch_add(1, Ordering::SeqCst) + 1).wait().unwrap()),
        ("saved after an invalidation of its own", |_, _| {
            cache_delete_function!(kept).wait().unwrap();
            cache_delete_function!(kept_long).wait().unwrap();
        }),
    ];
    let _alone = alone();
    let server = Server::start();
    let cache = Place::redis(&server.url()).register("kept");
    let elsewhere = Place::redis(&server.url()).register("kept_elsewhere");
    for (filled, fill) in ways {
        for (end, call) in [("kept::1", kept as fn(u64) -> u64), ("kept_long::1", kept_long)] {
            for end in [end, ":generation"] {
                let about = format!("{end} of what was {filled}");
                fill(&cache, &elsewhere);
                wait_until(&about, || is_near(&cache, call));
                let known = call(1);
                delete(&server, end);
                let deleted = Instant::now();
                while call(1) <= known {
                    assert!(deleted.elapsed() < Duration::from_secs(1), "not heard of: {about}");
                }
            }
        }
    }
}

#[test]
fn entry_that_was_filled_by_its_own_save_or_a_read_hears_of_the_first_deletion() {
    let _alone = alone();
    let server = Server::start();
    let cache = Place::redis(&server.url()).register("kept");
    for (record, call) in [("kept::1", kept as fn(u64) -> u64), ("kept_long::1", kept_long)] {
        wait_until("a near cache", || is_near(&cache, call));
        for end in [record, ":generation"] {
            for n in 0..10 {
                delete(&server, end);
                let known = RUNS.load(Ordering::SeqCst);
                wait_until("the deletion", || call(1) > known);
                // Computed by that very call, and asked for in no other way before the next deletion;
                // or read, since the server tells of its own save, too.
                if n % 2 == 0 {
                    wait_until("what was read is near", || is_near(&cache, call));
                }
                delete(&server, end);
                let known = RUNS.load(Ordering::SeqCst);
                wait_until("the deletion of what was saved", || call(1) > known);
            }
        }
    }
}

#[test]
fn network_that_is_cut_without_a_word_stops_near_hits_within_their_trust() {
    const NEAR_TRUST: Duration = Duration::from_secs(2);
    static TRUTH: AtomicU64 = AtomicU64::new(0);

    #[cached(cache = "kept", name = "trusting", timeout = 600)]
    fn trusting(key: u64) -> u64 {
        assert!(key < u64::MAX);
        TRUTH.load(Ordering::SeqCst)
    }

    #[cached(cache = "kept_elsewhere", name = "trusting", timeout = 600)]
    fn trusting_elsewhere(key: u64) -> u64 {
        assert!(key < u64::MAX);
        TRUTH.load(Ordering::SeqCst)
    }

    let _alone = alone();
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let cache = Place::redis(&server.url_at(&proxy.address())).register("kept");
    let _elsewhere = Place::redis(&server.url()).register("kept_elsewhere");
    for _ in 0..2 {
        wait_until("a near cache", || is_near(&cache, trusting));
        proxy.silence();
        TRUTH.fetch_add(1, Ordering::SeqCst);
        trusting_elsewhere::invalidate_all().wait().unwrap();
        let acknowledged = Instant::now();
        let truth = TRUTH.load(Ordering::SeqCst);
        let mut slowest = Duration::ZERO;
        loop {
            let asked = Instant::now();
            let answer = trusting(1);
            slowest = slowest.max(asked.elapsed());
            if answer == truth {
                break;
            }
            let passed = asked.duration_since(acknowledged);
            assert!(passed < NEAR_TRUST, "served from near {passed:?} after it was invalidated");
        }
        println!("{:?} after it was invalidated it is served no more", acknowledged.elapsed());
        assert!(slowest < Duration::from_millis(450), "a call took {slowest:?}");
        // What was held up comes now, and changes nothing.
        proxy.pass();
        let passed = Instant::now();
        while passed.elapsed() < Duration::from_millis(300) {
            assert_eq!(trusting(1), truth);
        }
    }
}
