//! Near caches of several processes in front of one Redis server: who has made one round trip after
//! a write was acknowledged reads what was written, or what came later.
//!
//! The oracle is outside the cache. What is written is a number that only grows; once it is
//! acknowledged, that is told to all processes by the length of a file. A reader looks at that first,
//! makes a round trip, and reads.

// What tests share panics as they do.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use keyedcache::{
    NotCachedReason, cache_delete, cache_delete_function, cache_get, cache_key, cache_set,
    cache_stats, cached,
};
use keyedcache_tests::child::{self, Child};
use keyedcache_tests::dice::Dice;
use keyedcache_tests::processes::Tally;
use keyedcache_tests::processes::talk::{Family, Subject};
use keyedcache_tests::proxy::Proxy;
use keyedcache_tests::redis::Server;

const PROCESSES: u64 = 3;

/// Of each kind, for each process that writes them.
const KEYS: u64 = 2;

/// How many reads are checked in all, unless `KEYEDCACHE_ROUNDS` says otherwise.
const READS: u64 = 30_000;

/// What a process says while it reads.
const GOES_ON: &str = "goes on";

/// Answers with what is written last.
#[cached(name = "written", timeout = 600)]
fn written(key: u64) -> u64 {
    Tally::truth(subject(Family::Sync, key)).now()
}

fn subject(family: Family, key: u64) -> Subject {
    Subject { family, key }
}

#[test]
fn nobody_reads_an_older_value_one_round_trip_after_a_write_was_acknowledged() {
    const NAME: &str = "nobody_reads_an_older_value_one_round_trip_after_a_write_was_acknowledged";

    if let Some(role) = child::role() {
        return work(role.parse().unwrap());
    }
    let reads = std::env::var("KEYEDCACHE_ROUNDS").ok();
    let reads = reads.map_or(READS, |reads| reads.parse().expect("a number of reads"));
    let mut dice = Dice::new();
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let proxies: Vec<_> = (0..PROCESSES).map(|_| Proxy::to(&server.address())).collect();
    let start = |(number, proxy): (usize, &Proxy)| {
        let url = server.url_at(&proxy.address());
        let seed = dice.seed().to_string();
        let environment = [
            ("KEYEDCACHE_URL", url.as_str()),
            (Tally::FOLDER, folder.path().to_str().unwrap()),
            ("KEYEDCACHE_SEED", &seed),
            ("KEYEDCACHE_ROUNDS", &(reads / PROCESSES + 1).to_string()),
        ];
        Child::in_role_with(NAME, &number.to_string(), &environment)
    };
    let mut children: Vec<_> = proxies.iter().enumerate().map(start).collect();
    for child in &children {
        child.expect("ready");
    }
    for child in &mut children {
        child.say("go");
    }

    let is_over = AtomicBool::new(false);
    let found: Vec<_> = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                thread::sleep(dice.micros(5_000..=150_000));
                proxies[usize::try_from(dice.below(PROCESSES)).unwrap()].cut();
            }
        });
        let _over = Over(&is_over);
        children.iter().map(verdict).collect()
    });
    let cuts: u64 =
        proxies.iter().map(|proxy| proxy.traffic().connections).sum::<u64>() - PROCESSES;
    println!("{cuts} cuts; of each process {found:#?}");
    assert!(found.iter().all(|found| !found.contains("older")), "{found:#?}");
    children.into_iter().for_each(Child::finish);
}

/// Stops whatever goes on until then, when a test fails, too.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What a process says last.
fn verdict(child: &Child) -> String {
    loop {
        let word = child.hear().expect("it goes on");
        if word != GOES_ON {
            return word;
        }
    }
}

/// What one process does: it writes its own keys, and reads all.
fn work(process: u64) {
    const READERS: u64 = 2;

    let mut dice = Dice::new();
    let reads: u64 = std::env::var("KEYEDCACHE_ROUNDS").unwrap().parse().unwrap();
    let (left, older) = (AtomicU64::new(reads), Mutex::new(Vec::new()));
    cache_set(cache_key!("connected", process), &0_u8).wait().unwrap();
    child::say("ready");
    child::hear().expect("a word to begin");
    let is_over = AtomicBool::new(false);
    let mut writes = 0;
    let seed = dice.seed();
    thread::scope(|scope| {
        let writing = scope.spawn(|| write(process, Dice::of(seed), &is_over));
        let reading = |dice: Dice| scope.spawn(|| read(dice, &left, &older));
        let reading: Vec<_> = (0..READERS).map(|_| reading(Dice::of(dice.seed()))).collect();
        {
            let _over = Over(&is_over);
            for reader in reading {
                reader.join().unwrap();
            }
        }
        writes = writing.join().unwrap();
    });
    let stats = cache_stats();
    let older = older.lock().unwrap();
    let verdict = older.first().map_or("nothing wrong".to_owned(), |first| {
        format!("{} older than what was acknowledged, such as {first}", older.len())
    });
    child::say(&format!(
        "{reads} reads, {} from near, {writes} writes, {} failures of the store: {verdict}",
        stats.near_hits, stats.store_errors
    ));
}

/// Writes keys of its own, in all ways there are; how often that was acknowledged.
fn write(process: u64, mut dice: Dice, is_over: &AtomicBool) -> u64 {
    let mut acknowledged = 0;
    while !is_over.load(Ordering::Acquire) {
        let key = process * KEYS + dice.below(KEYS);
        let family = dice.one_of(&[Family::Sync, Family::Values]);
        let truth = Tally::truth(subject(family, key));
        truth.grow();
        let done = match (family, dice.below(8)) {
            (Family::Sync, 0) => cache_delete_function!(written).wait(),
            (Family::Sync, 1 | 2) => written::put(key, truth.now()).wait(),
            (Family::Sync, _) => written::invalidate(key).wait(),
            (_, 0) => cache_delete(cache_key!("value", key)).wait().map(drop),
            _ => cache_set(cache_key!("value", key), &truth.now()).wait(),
        };
        if done.is_ok() {
            let told = Tally::acknowledged(subject(family, key));
            // Those before it, too, whatever became of them.
            while told.now() < truth.now() {
                told.grow();
            }
            acknowledged += 1;
        }
        thread::sleep(dice.micros(100..=4_000));
    }
    acknowledged
}

/// Reads all keys after one round trip, again and again.
fn read(mut dice: Dice, left: &AtomicU64, older: &Mutex<Vec<String>>) {
    let all = [Family::Sync, Family::Values];
    let all =
        all.into_iter().flat_map(|family| (0..PROCESSES * KEYS).map(move |key| (family, key)));
    let all: Vec<_> = all.map(|(family, key)| subject(family, key)).collect();
    loop {
        let acknowledged: Vec<_> =
            all.iter().map(|subject| Tally::acknowledged(*subject).now()).collect();
        let nothing = cache_get::<u64>(cache_key!("nothing", dice.below(1 << 40))).wait();
        if nothing.unwrap_err().reason != NotCachedReason::Absent {
            continue; // nobody has answered: this was no round trip
        }
        let first = usize::try_from(dice.below(all.len() as u64)).unwrap();
        for at in (first..all.len()).chain(0..first) {
            let Subject { family, key } = all[at];
            let value = match family {
                Family::Sync => Some(written(key)),
                _ => cache_get::<u64>(cache_key!("value", key)).wait().ok(),
            };
            if let Some(value) = value
                && value < acknowledged[at]
            {
                let what = format!("{:?}: {value}, not {}", all[at], acknowledged[at]);
                older.lock().unwrap().push(what);
            }
            let taken =
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            match taken {
                Ok(left) if left.is_multiple_of(1_000) => child::say(GOES_ON),
                Ok(_) => {}
                Err(_) => return,
            }
        }
        if dice.one_in(4) {
            thread::sleep(Duration::from_micros(dice.below(2_000)));
        }
    }
}
