//! A hit in the near cache, statistics on, against `cached` and against bare `quick_cache`.
//!
//! 10,000 keys of two numbers, drawn by Zipf's law; every cache has room for all of them.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyedcache::Cache;
use keyedcache_benches::{
    Contest, Outcome, print_table, print_target, time, time_on_threads, zipf,
};

const KEYS: usize = 10_000;
/// Of every cache: shards fill unevenly, and none shall be too small.
const ROOM: usize = 16_384;
const CALLS: usize = 1 << 15;
const ROUNDS: usize = 201;

const SUBJECT: &str = "keyedcache #[cached(timeout = 600)]";
const PEER: &str = "cached 4.1 (max_size, ttl_secs)";
const PEER_BY_KEY: &str = "cached 4.1 (…, sync_writes = \"by_key\")";
const BARE: &str = "bare quick_cache, ready key, no expiry";
/// What of a hit is the answer's own: threads that clone one `Arc` fight over its count.
const CLONE: &str = "the clone of the answer alone";

static BODIES: AtomicU64 = AtomicU64::new(0);

fn answer(a: u64, b: u64) -> Arc<str> {
    BODIES.fetch_add(1, Ordering::Relaxed);
    format!("the answer of {a} and {b}").into()
}

#[keyedcache::cached(timeout = 600)]
fn subject(a: u64, b: u64) -> Arc<str> {
    answer(a, b)
}

#[cached::macros::cached(max_size = 16_384, ttl_secs = 600)]
fn of_cached(a: u64, b: u64) -> Arc<str> {
    answer(a, b)
}

#[cached::macros::cached(max_size = 16_384, ttl_secs = 600, sync_writes = "by_key")]
fn of_cached_by_key(a: u64, b: u64) -> Arc<str> {
    answer(a, b)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    Cache::builder().url("memory:").near(ROOM).build()?.register("default")?;
    let bare = quick_cache::sync::Cache::new(ROOM);
    let keys: Vec<(u64, u64)> = zipf(KEYS, CALLS).into_iter().map(key).collect();
    for (a, b) in (0..KEYS).map(key) {
        subject(a, b);
        of_cached(a, b);
        of_cached_by_key(a, b);
        bare.insert((a, b), answer(a, b));
    }

    let get_bare = |a, b| bare.get(&(a, b));
    let answers: Vec<Arc<str>> = (0..KEYS).map(key).map(|(a, b)| answer(a, b)).collect();
    let clone = |_, rank| answers.get(usize::try_from(rank).ok()?).cloned();
    let before = BODIES.load(Ordering::Relaxed);
    let one = race(&keys, 1, &get_bare, &clone);
    let two = race(&keys, 2, &get_bare, &clone);
    let title = "near hit, ns a call (10,000 Zipf keys, medians of interleaved rounds)";
    print_table(title, &[("1 thread", &one), ("2 threads", &two)]);
    println!();
    print_target("keyedcache / cached, one thread", one.ratio(SUBJECT, PEER), 0.60);
    print_target("keyedcache / cached, two threads", two.ratio(SUBJECT, PEER), 0.45);
    println!("  {:<58}{:>8.2}", "keyedcache / bare, one thread", one.ratio(SUBJECT, BARE));
    println!("  {:<58}{:>8.2}", "keyedcache / bare, two threads", two.ratio(SUBJECT, BARE));
    let counted = allocation_counter::measure(|| {
        for (a, b) in &keys {
            drop(black_box(subject(*a, *b)));
        }
    });
    #[allow(clippy::cast_precision_loss)] // a number of allocations near zero
    print_target("allocations in all hits of one round", counted.count_total as f64, 0.0);
    println!("  near hits counted: {}", keyedcache::cache_stats().near_hits);
    println!("  bodies run while timed: {}", BODIES.load(Ordering::Relaxed) - before);
    Ok(())
}

/// Two numbers that tell nothing of the rank.
fn key(rank: usize) -> (u64, u64) {
    let number = rank as u64;
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32, number)
}

type Get<'a> = dyn Fn(u64, u64) -> Option<Arc<str>> + Sync + 'a;

fn race(keys: &[(u64, u64)], threads: usize, bare: &Get<'_>, clone: &Get<'_>) -> Outcome {
    Contest::new()
        .enter(SUBJECT, || turn(keys, threads, subject))
        .enter(PEER, || turn(keys, threads, of_cached))
        .enter(PEER_BY_KEY, || turn(keys, threads, of_cached_by_key))
        .enter(BARE, || turn(keys, threads, bare))
        .enter(CLONE, || turn(keys, threads, clone))
        .run(ROUNDS)
}

fn turn<T>(keys: &[(u64, u64)], threads: usize, call: impl Fn(u64, u64) -> T + Sync) -> f64 {
    let one = |number: usize| {
        let (a, b) = keys[number % CALLS];
        drop(black_box(call(black_box(a), black_box(b))));
    };
    if threads == 1 { time(CALLS, one) } else { time_on_threads(threads, CALLS, one) }
}
