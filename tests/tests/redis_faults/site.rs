//! Two caches on one server, each to the other what another process is, and functions they cache.
//!
//! The truth is a number that functions answer with, and that the caches know nothing of.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::{Cache, Error, cached};
use keyedcache_tests::drive::block_on;
use keyedcache_tests::place::{Place, alone};
use keyedcache_tests::redis::Server;

/// What a store may cost a call in all, by default.
pub(crate) const AT_MOST: Duration = Duration::from_millis(250);

/// What a busy machine may add to it.
const SLACK: Duration = Duration::from_millis(200);

/// How soon after a server's return all is right again.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// For how long after the last sign of life near caches are trusted, by default.
pub(crate) const NEAR_TRUST: Duration = Duration::from_secs(2);

/// A key that has been asked for before.
pub(crate) const KNOWN: u64 = 0;

/// So many callers ask at once.
const CALLERS: u64 = 6;

static TRUTH: AtomicU64 = AtomicU64::new(1);

#[cached(cache = "site", name = "told", timeout = 600)]
pub(crate) fn told(key: u64) -> u64 {
    assert!(key < u64::MAX);
    TRUTH.load(Ordering::SeqCst)
}

/// The same function as another process has it.
#[cached(cache = "site_elsewhere", name = "told", timeout = 600)]
pub(crate) fn told_elsewhere(key: u64) -> u64 {
    assert!(key < u64::MAX);
    TRUTH.load(Ordering::SeqCst)
}

/// The same in async code.
#[cached(cache = "site", name = "told", timeout = 600)]
#[allow(clippy::unused_async)] // it answers at once
async fn told_async(key: u64) -> u64 {
    assert!(key < u64::MAX);
    TRUTH.load(Ordering::SeqCst)
}

/// A key that nobody has asked for yet.
pub(crate) fn fresh() -> u64 {
    static KEYS: AtomicU64 = AtomicU64::new(KNOWN + 1);
    KEYS.fetch_add(1, Ordering::Relaxed)
}

/// The truth.
pub(crate) fn truth() -> u64 {
    TRUTH.load(Ordering::SeqCst)
}

/// What is stored of a call has this name in Redis.
pub(crate) fn record_of(key: u64) -> String {
    format!("keyedcache:1:{}", told::key(key).text())
}

/// Whether it is.
pub(crate) fn is_stored(server: &Server, key: u64) -> bool {
    server.command(&["EXISTS", &record_of(key)]).number() == 1
}

/// Those of the names in a server that end so.
pub(crate) fn names(server: &Server, end: &str) -> Vec<String> {
    let names = server.command(&["KEYS", &format!("*{end}")]);
    names.list().iter().map(keyedcache_tests::redis::Reply::text).collect()
}

/// Callers of all kinds ask at once for what is cached and what is not: each has its answer in
/// time. What was asked for before is answered by this truth or a newer one.
pub(crate) fn serves(at_least: u64) {
    let caller = |caller: u64| {
        move || {
            let keys = if caller.is_multiple_of(2) { [KNOWN, fresh()] } else { [fresh(), KNOWN] };
            for key in keys {
                let (began, now) = (Instant::now(), truth());
                let (how, answer) = match caller % 3 {
                    0 => ("waited", told(key)),
                    1 => ("awaited", block_on(told_async(key))),
                    _ => ("awaited in a current-thread runtime", block_on(async { told(key) })),
                };
                let took = began.elapsed();
                assert!(took < AT_MOST + SLACK, "a call that is {how} took {took:?}");
                let least = if key == KNOWN { at_least } else { now };
                assert!(answer >= least, "{answer} is of before {least}");
            }
        }
    };
    let callers: Vec<_> = (0..CALLERS).map(|number| thread::spawn(caller(number))).collect();
    for caller in callers {
        caller.join().unwrap();
    }
}

/// Changes the truth, and has a function forget in one of the caches; the new truth.
pub(crate) fn change(is_elsewhere: bool) -> Result<u64, Error> {
    let truth = TRUTH.fetch_add(1, Ordering::SeqCst) + 1;
    if is_elsewhere {
        told_elsewhere::invalidate_all().wait()?;
    } else {
        told::invalidate_all().wait()?;
    }
    Ok(truth)
}

/// The two caches.
pub(crate) struct Site {
    pub(crate) cache: Cache,
    pub(crate) elsewhere: Cache,
    _alone: MutexGuard<'static, ()>,
}

impl Site {
    /// One whose caches reach the server in these ways.
    pub(crate) fn at(url: &str, url_elsewhere: &str) -> Self {
        let alone = alone();
        let cache = Place::redis(url).register("site");
        let elsewhere = Place::redis(url_elsewhere).register("site_elsewhere");
        Self { cache, elsewhere, _alone: alone }
    }

    /// One whose caches work.
    pub(crate) fn on(server: &Server) -> Self {
        let site = Self::at(&server.url(), &server.url());
        site.comes_right(server, Instant::now());
        site
    }

    /// Soon after the server is there, both caches store, keep near, hear of each other's
    /// invalidations, and have nothing of before.
    pub(crate) fn comes_right(&self, server: &Server, there_since: Instant) {
        let soon = |what: &str, thing: &mut dyn FnMut() -> bool| {
            while !thing() {
                let since = there_since.elapsed();
                assert!(since < SOON, "not {since:?} after the server's return: {what}");
            }
        };
        let stores = |call: fn(u64) -> u64| {
            let key = fresh();
            call(key);
            is_stored(server, key)
        };
        soon("answers are stored", &mut || stores(told));
        soon("answers are stored elsewhere", &mut || stores(told_elsewhere));
        for is_elsewhere in [true, false] {
            soon("an invalidation is taken", &mut || change(is_elsewhere).is_ok());
            soon("it is heard of", &mut || told(KNOWN) == truth());
            soon("it is heard of elsewhere", &mut || told_elsewhere(KNOWN) == truth());
            soon("the near cache answers", &mut || is_near(&self.cache, told));
            soon("the near cache answers elsewhere", &mut || {
                is_near(&self.elsewhere, told_elsewhere)
            });
        }
    }
}

fn is_near(cache: &Cache, call: fn(u64) -> u64) -> bool {
    let before = cache.stats();
    call(KNOWN);
    let after = cache.stats();
    after.near_hits == before.near_hits + 1 && after.store_hits == before.store_hits
}
