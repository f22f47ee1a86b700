//! A hit in Redis against a bare `GET` of the same bytes over one multiplexed connection, against
//! `cached` and against `hitbox`; a stampede; a near hit in front; invalidating a large function.
//!
//! All run in tasks of one Tokio runtime of two workers, and talk to one `redis-server` of the bench's
//! own over TCP.
//!
//! Hits of one task after another are timed in a process of their own, which shares one core with its
//! server. Where either may run anywhere, the same call takes 20 or 100 µs by which core it was woken on,
//! and stays so for a run: a ratio of two would tell of that and of nothing else.

#![allow(clippy::cast_precision_loss)] // counts and nanoseconds, told to a few digits
#![allow(clippy::unused_async)] // the functions that are compared are async, and have nothing to wait for

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use cached::AsyncRedisCache;
use cached::macros::concurrent_cached;
use hitbox::concurrency::BroadcastConcurrencyManager;
use hitbox::policy::{ConcurrencyLimit, PolicyConfig};
use hitbox_fn::prelude::{CacheableResponse, KeyExtract, cached as hitboxed};
use hitbox_redis::{ConnectionMode, RedisBackend};
use keyedcache::store::RedisStore;
use keyedcache::{Cache, cache_key, cached};
use keyedcache_benches::{Contest, Outcome, RedisServer, median, print_table, print_target, time};
use redis::aio::MultiplexedConnection;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

const KEYS: usize = 200;
const VALUE: usize = 1_024;
const ROUNDS: usize = 101;
const TASKS: usize = 64;
/// Calls of each task.
const EACH: usize = 20;
/// Of the body in a stampede, which blocks its thread.
const BODY: Duration = Duration::from_millis(2);

const BARE: &str = "bare multiplexed GET";
/// What it costs that a connection is driven by a thread of its own, as keyedcache's are.
const AWAY: &str = "bare GET, driven on another thread";
const FUNCTION: &str = "keyedcache #[cached(near = 0)]";
const VALUES: &str = "keyedcache Cache::get, near = 0";
const CACHED: &str = "cached 4.1 AsyncRedisCache";
const HITBOX: &str = "hitbox 0.2, RedisBackend";

type Failure = Box<dyn std::error::Error>;

static URL: OnceLock<String> = OnceLock::new();
/// Bodies that have run.
static BODIES: AtomicUsize = AtomicUsize::new(0);

fn url() -> &'static str {
    URL.get().expect("main sets it first")
}

/// Text, which no codec takes apart.
fn value(number: usize) -> String {
    BODIES.fetch_add(1, Ordering::Relaxed);
    format!("{number:0>VALUE$}")
}

/// What a stampede waits for: the numbers below [`KEYS`] are those of hits.
fn answer(number: usize) -> String {
    if number >= KEYS {
        std::thread::sleep(BODY);
    }
    value(number)
}

#[cached(cache = "one", timeout = 600, near = 0, name = "f")]
async fn of_keyedcache(number: usize) -> String {
    answer(number)
}

/// The same as another process has it.
#[cached(cache = "other", timeout = 600, near = 0, name = "f")]
async fn of_keyedcache_elsewhere(number: usize) -> String {
    answer(number)
}

#[concurrent_cached(
    map_error = "|error| error.to_string()",
    ty = "AsyncRedisCache<usize, String>",
    create = r#"{
        AsyncRedisCache::builder("f")
            .connection_string(url())
            .ttl(cached::time::Duration::from_mins(10))
            .build()
            .await
            .expect("the server is up")
    }"#
)]
async fn of_cached(number: usize) -> Result<String, String> {
    Ok(answer(number))
}

#[derive(Clone, KeyExtract)]
struct Number(usize);

#[derive(Clone, Serialize, Deserialize, CacheableResponse)]
struct Answer {
    text: String,
}

#[hitboxed]
async fn of_hitbox(number: Number) -> Result<Answer, String> {
    Ok(Answer { text: answer(number.0) })
}

type Hitbox = hitbox_fn::Cache<RedisBackend, BroadcastConcurrencyManager<Result<Answer, String>>>;

/// Of each process one.
static HITBOXES: LazyLock<[Hitbox; 2]> = LazyLock::new(|| [hitbox(), hitbox()]);

fn hitbox() -> Hitbox {
    let backend = RedisBackend::builder().connection(ConnectionMode::single(url())).build();
    let policy = PolicyConfig::builder().ttl(Duration::from_mins(10));
    let one_at_once = ConcurrencyLimit::new(1).expect("it is from 1 on");
    hitbox_fn::Cache::builder()
        .backend(backend.expect("the URL is one"))
        .policy(policy.concurrency(one_at_once).build())
        .concurrency_manager(BroadcastConcurrencyManager::new())
        .build()
}

#[cached(cache = "one", timeout = 600, name = "near")]
fn near_in_front(number: u64) -> Arc<str> {
    number.to_string().into()
}

#[cached(cache = "memory", timeout = 600, name = "near")]
fn near_alone(number: u64) -> Arc<str> {
    number.to_string().into()
}

#[cached(cache = "one", timeout = 600, near = 0, name = "thousand")]
async fn thousand(number: usize) -> String {
    value(number)
}

#[cached(cache = "one", timeout = 600, near = 0, name = "million")]
async fn million(number: usize) -> String {
    value(number)
}

fn main() -> Result<(), Failure> {
    let on_one_core = is_named(ON_ONE_CORE);
    if on_one_core {
        stay_on_one_core()?;
    } else if is_wanted("hits") {
        let mut same = Command::new(std::env::current_exe()?);
        if !same.args(["--bench", ON_ONE_CORE]).status()?.success() {
            return Err("the hits of one task have failed".into());
        }
    }
    let server = RedisServer::start()?;
    URL.set(server.url()).map_err(|_| "the URL is set once")?;
    for alias in ["one", "other"] {
        open(10_000)?.register(alias)?;
    }
    Cache::from_url("memory:")?.register("memory")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let connection = runtime
        .block_on(async { redis::Client::open(url())?.get_multiplexed_async_connection().await })?;
    if on_one_core {
        return hits(&runtime, &connection, ("1 task, one core", "one task"), one_after_another);
    }
    if is_wanted("hits") {
        hits(&runtime, &connection, ("64 tasks", "64 tasks"), at_once)?;
    }
    if is_wanted("stampede") {
        stampede(&runtime);
    }
    if is_wanted("near") {
        near_hits();
    }
    if is_wanted("invalidations") {
        invalidations(&runtime, connection)?;
    }
    Ok(())
}

/// Names the part that a process of its own runs.
const ON_ONE_CORE: &str = "hits-on-one-core";

/// Whether this part is named after `--`, or none is.
fn is_wanted(part: &str) -> bool {
    named().next().is_none() || is_named(part)
}

fn is_named(part: &str) -> bool {
    named().any(|name| name == part)
}

fn named() -> impl Iterator<Item = String> {
    std::env::args().skip(1).filter(|argument| !argument.starts_with('-'))
}

/// Has this thread, and all threads and processes it starts, run on one core: the first it may run on.
fn stay_on_one_core() -> Result<(), Failure> {
    let mine = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|&core| mine.is_set(core)).ok_or("there is no core")?;
    let mut one = CpuSet::new();
    one.set(first);
    Ok(sched_setaffinity(None, &one)?)
}

/// A cache with connections of its own, as every process has; by default it keeps 10,000 near.
fn open(near: usize) -> Result<Cache, Failure> {
    let store = RedisStore::builder(url()).build()?;
    Ok(Cache::builder().store(Arc::new(store)).near(near).build()?)
}

fn hits(
    runtime: &Runtime,
    connection: &MultiplexedConnection,
    (column, tasks): (&str, &str),
    time: impl Fn(&Runtime, &Call) -> f64,
) -> Result<(), Failure> {
    let cache = open(0)?;
    runtime.block_on(async {
        for number in 0..KEYS {
            cache.set(cache_key!("v", number), &value(number)).await?;
            of_keyedcache(number).await;
            of_cached(number).await?;
            of_hitbox(Number(number)).cache(&HITBOXES[0]).await?;
        }
        Ok::<_, Failure>(())
    })?;
    let before = BODIES.load(Ordering::Relaxed);
    let away = driven_away()?;
    let outcome = race(&cache, [connection, &away], |call| time(runtime, call));
    let title = "hit of 1 kB in Redis, ns a call (medians of interleaved rounds)";
    print_table(title, &[(column, &outcome)]);
    println!();
    let bare = if tasks == "one task" { 1.15 } else { 1.0 / 0.85 };
    for ours in [FUNCTION, VALUES] {
        let name = ours.trim_start_matches("keyedcache ");
        print_target(&format!("{name} / bare GET, {tasks}"), outcome.ratio(ours, BARE), bare);
    }
    for peer in [CACHED, HITBOX] {
        let ratio = outcome.ratio(FUNCTION, peer);
        print_target(&format!("#[cached] / {peer}, {tasks}"), ratio, 1.0);
    }
    let of_away = outcome.ratio(FUNCTION, AWAY);
    println!("  {:<58}{of_away:>8.2}", format!("#[cached] / driven on another thread, {tasks}"));
    println!("  bodies run while timed: {}", BODIES.load(Ordering::Relaxed) - before);
    Ok(())
}

/// Something to be timed, by number; answers how many bytes there are.
type Call = Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = usize> + Send>> + Send + Sync>;

fn call<F: Future<Output = usize> + Send + 'static>(
    call: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Call {
    Arc::new(move |number| Box::pin(call(number)))
}

/// A connection that a runtime on another thread drives.
fn driven_away() -> Result<MultiplexedConnection, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let connection = runtime
        .block_on(async { redis::Client::open(url())?.get_multiplexed_async_connection().await })?;
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    Ok(connection)
}

fn race(
    cache: &Cache,
    connections: [&MultiplexedConnection; 2],
    time: impl Fn(&Call) -> f64,
) -> Outcome {
    let cache = cache.clone();
    let [bare, away] = connections.map(|connection| {
        let connection = connection.clone();
        call(move |number| {
            let mut connection = connection.clone();
            async move {
                let get = redis::cmd("GET").arg(format!("keyedcache:1:f::{number}")).to_owned();
                get.query_async::<Vec<u8>>(&mut connection).await.map_or(0, |found| found.len())
            }
        })
    });
    let function = call(|number| async move { of_keyedcache(number).await.len() });
    let values = call(move |number| {
        let found = cache.get::<String>(cache_key!("v", number));
        async move { found.await.map_or(0, |found| found.len()) }
    });
    let cached = call(|number| async move { of_cached(number).await.map_or(0, |v| v.len()) });
    let hitbox = call(|number| async move {
        of_hitbox(Number(number)).cache(&HITBOXES[0]).await.map_or(0, |found| found.text.len())
    });
    Contest::new()
        .enter(BARE, || time(&bare))
        .enter(AWAY, || time(&away))
        .enter(FUNCTION, || time(&function))
        .enter(VALUES, || time(&values))
        .enter(CACHED, || time(&cached))
        .enter(HITBOX, || time(&hitbox))
        .run(ROUNDS)
}

/// Nanoseconds a call, in one task.
fn one_after_another(runtime: &Runtime, call: &Call) -> f64 {
    let call = Arc::clone(call);
    let task = runtime.spawn(async move {
        let start = Instant::now();
        for number in 0..KEYS {
            assert!(black_box(call(black_box(number)).await) >= VALUE);
        }
        nanos(start) / KEYS as f64
    });
    runtime.block_on(task).expect("every call finds its value")
}

/// Nanoseconds a call, in many tasks at once.
fn at_once(runtime: &Runtime, call: &Call) -> f64 {
    let start = Instant::now();
    let task = |task: usize| {
        let call = Arc::clone(call);
        runtime.spawn(async move {
            for number in 0..EACH {
                assert!(black_box(call((task + number) % KEYS).await) >= VALUE);
            }
        })
    };
    let tasks: Vec<_> = (0..TASKS).map(task).collect();
    for task in tasks {
        runtime.block_on(task).expect("every call finds its value");
    }
    nanos(start) / (TASKS * EACH) as f64
}

fn nanos(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64
}

/// As many tasks as ever, half of them of another process, ask for what nobody has computed.
fn stampede(runtime: &Runtime) {
    const ROUNDS: usize = 31;
    let next = AtomicUsize::new(KEYS);
    let bodies = [(); 3].map(|()| AtomicUsize::new(0));
    let turn = |call: Call, bodies: &AtomicUsize| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let before = BODIES.load(Ordering::Relaxed);
        let start = Instant::now();
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let call = Arc::clone(&call);
                runtime.spawn(async move { call(2 * number + task % 2).await })
            })
            .collect();
        for task in tasks {
            assert!(runtime.block_on(task).expect("no call fails") >= VALUE);
        }
        bodies.store(BODIES.load(Ordering::Relaxed) - before, Ordering::Relaxed);
        nanos(start) / 1e6
    };
    let subject = call(|asked| async move {
        match asked % 2 {
            0 => of_keyedcache(asked / 2).await.len(),
            _ => of_keyedcache_elsewhere(asked / 2).await.len(),
        }
    });
    let of_cached = call(|asked| async move { of_cached(asked / 2).await.map_or(0, |v| v.len()) });
    let hitbox = call(|asked| async move {
        let found = of_hitbox(Number(asked / 2)).cache(&HITBOXES[asked % 2]).await;
        found.map_or(0, |found| found.text.len())
    });
    let outcome = Contest::new()
        .enter(FUNCTION, || turn(Arc::clone(&subject), &bodies[0]))
        .enter(CACHED, || turn(Arc::clone(&of_cached), &bodies[1]))
        .enter(HITBOX, || turn(Arc::clone(&hitbox), &bodies[2]))
        .run(ROUNDS);
    let title = "64 tasks ask for one missing answer of 2 ms, half of them as another process, ms";
    print_table(title, &[("all have it", &outcome)]);
    println!();
    print_target("bodies run: keyedcache", bodies[0].load(Ordering::Relaxed) as f64, 1.0);
    println!("  {:<58}{:>8}", "bodies run: cached", bodies[1].load(Ordering::Relaxed));
    println!("  {:<58}{:>8}", "bodies run: hitbox", bodies[2].load(Ordering::Relaxed));
    for peer in [CACHED, HITBOX] {
        print_target(&format!("keyedcache / {peer}"), outcome.ratio(FUNCTION, peer), 1.0);
    }
}

fn near_hits() {
    const CALLS: usize = 1 << 15;
    const IN_FRONT: &str = "near hit in front of Redis";
    const ALONE: &str = "near hit without a store";
    let turn = |near: fn(u64) -> Arc<str>| {
        time(CALLS, |number| drop(black_box(near(black_box(number as u64 % 1_000)))))
    };
    let outcome = Contest::new()
        .enter(IN_FRONT, || turn(near_in_front))
        .enter(ALONE, || turn(near_alone))
        .run(ROUNDS);
    print_table("near hit, ns a call (medians of interleaved rounds)", &[("1 thread", &outcome)]);
    println!();
    print_target("in front of Redis / without a store", outcome.ratio(IN_FRONT, ALONE), 1.3);
}

fn invalidations(runtime: &Runtime, mut connection: MultiplexedConnection) -> Result<(), Failure> {
    runtime.block_on(async {
        fill(&mut connection, "thousand", thousand(0).await.len(), 1_000).await?;
        fill(&mut connection, "million", million(0).await.len(), 1_000_000).await
    })?;
    let (mut of_thousand, mut of_million) = (Vec::new(), Vec::new());
    let bodies = || BODIES.load(Ordering::Relaxed);
    for round in 0..101 {
        let (few, many) = runtime.block_on(async {
            let start = Instant::now();
            thousand::invalidate_all().await?;
            let few = nanos(start);
            let start = Instant::now();
            million::invalidate_all().await?;
            let many = nanos(start);
            let before = bodies();
            million(round * 1_000).await;
            assert_eq!(bodies(), before + 1, "what was invalidated is computed anew");
            thousand(round % 10).await;
            Ok::<_, Failure>((few, many))
        })?;
        of_thousand.push(few);
        of_million.push(many);
    }
    let ratio = median(of_million.iter().zip(&of_thousand).map(|(many, few)| many / few).collect());
    println!("\ninvalidating a function, µs (medians)\n");
    println!("  {:<58}{:>8.1}", "with 1,000 records", median(of_thousand) / 1e3);
    println!("  {:<58}{:>8.1}", "with 1,000,000 records", median(of_million) / 1e3);
    print_target("1,000,000 records / 1,000", ratio, 1.5);
    Ok(())
}

/// Copies the record of number 0 to all others.
async fn fill(
    connection: &mut MultiplexedConnection,
    function: &str,
    value: usize,
    records: usize,
) -> Result<(), Failure> {
    let key = |number| format!("keyedcache:1:{function}::{number}");
    let record: Vec<u8> = redis::cmd("GET").arg(key(0)).query_async(connection).await?;
    assert!(record.len() > value, "what is copied is the record");
    for start in (0..records).step_by(5_000) {
        let mut pipeline = redis::pipe();
        for number in start..(start + 5_000).min(records) {
            pipeline.cmd("SET").arg(key(number)).arg(&record).arg("EX").arg(600).ignore();
        }
        let () = pipeline.query_async(connection).await?;
    }
    Ok(())
}
