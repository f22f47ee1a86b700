//! Connections that callers' own runtimes drive, for reads of which nobody keeps anything.

#![allow(clippy::unwrap_used)] // in what tests share

use std::fs;
use std::future::Future;
use std::panic;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::record::Record;
use keyedcache::store::{Guard, RedisStore, Store};
use keyedcache::{Cache, Error, Timeout, cache_key, cached};
use keyedcache_tests::drive::{Driven, wait};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::proxy::Proxy;
use keyedcache_tests::redis::{Options, Server};
use keyedcache_tests::stored::{key, record, save, slot};
use keyedcache_tests::watchdog::{PATIENCE, wait_until};
use tokio::runtime::{Builder, Runtime};

use crate::ground::{connected, ground, open, patient};

/// How many runtimes have homes at most.
const MOST: usize = 16;

pub(crate) fn with_workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub(crate) fn on_one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// What stands under a key, for somebody who keeps nothing of it.
async fn glance(store: &RedisStore, text: &str) -> Result<Option<Record>, Error> {
    let keys = [key(text)];
    let mut loaded = store.glance(&keys, &[]).await?;
    Ok(loaded.slots.pop().unwrap().record)
}

/// How many connections of stores there are.
fn connections(server: &Server) -> usize {
    let list = server.command(&["CLIENT", "LIST"]).text();
    list.lines().filter(|line| line.contains(" name=keyedcache ")).count()
}

/// Which connection the only home has: it is made after the shared one.
fn home(server: &Server) -> String {
    let list = server.command(&["CLIENT", "LIST"]).text();
    let ours = list.lines().filter(|line| line.contains(" name=keyedcache "));
    let id = |line: &str| line.split([' ', '=']).nth(1).unwrap().parse::<u64>().unwrap();
    ours.map(id).max().unwrap().to_string()
}

/// Whether what is read here is read over a connection that registers for no record.
async fn is_at_home(server: &Server, store: &RedisStore) -> bool {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let tracked = || server.info("stats")["tracking_total_keys"].parse::<u64>().unwrap();
    let before = tracked();
    let text = format!("nothing{}", NEXT.fetch_add(1, Ordering::Relaxed));
    assert_eq!(glance(store, &text).await.unwrap(), None);
    before == tracked()
}

/// Reads until this runtime has a home.
pub(crate) fn move_in(runtime: &Runtime, server: &Server, store: &RedisStore) {
    let start = Instant::now();
    while !runtime.block_on(is_at_home(server, store)) {
        assert!(start.elapsed() < PATIENCE, "it gets no home");
    }
}

#[test]
fn each_runtime_reads_over_a_connection_of_its_own() {
    let (server, store) = ground();
    save(&store, "k", record(1, 50)).unwrap();
    let runtimes = [with_workers(), on_one_thread(), with_workers()];
    for (number, runtime) in runtimes.iter().enumerate() {
        assert!(!runtime.block_on(is_at_home(&server, &store)), "the first reads are too few");
        move_in(runtime, &server, &store);
        assert_eq!(connections(&server), 2 + number);
        for length in [50, 5_000, 3_000_000] {
            save(&store, "k", record(1, length)).unwrap();
            assert_eq!(runtime.block_on(glance(&store, "k")).unwrap(), Some(record(1, length)));
        }
    }
    drop(store);
    // One that nobody drives closes its own when it ends.
    wait_until("connections are closed", || connections(&server) == 1);
    drop(runtimes);
    wait_until("all are", || connections(&server) == 0);
}

#[test]
fn many_tasks_at_once_get_each_its_own_answer() {
    const TASKS: u64 = 64;
    let (server, store) = ground();
    for number in 0..TASKS {
        save(
            &store,
            &number.to_string(),
            record(number, 40 + 100 * usize::try_from(number).unwrap()),
        )
        .unwrap();
    }
    let (runtime, store) = (with_workers(), Arc::new(store));
    move_in(&runtime, &server, &store);
    let reading = (0..TASKS).map(|number| {
        let store = Arc::clone(&store);
        runtime.spawn(async move {
            for round in 0..50 {
                let number = (number + round) % TASKS;
                let found = glance(&store, &number.to_string()).await.unwrap();
                assert_eq!(
                    found,
                    Some(record(number, 40 + 100 * usize::try_from(number).unwrap()))
                );
            }
        })
    });
    for task in reading.collect::<Vec<_>>() {
        runtime.block_on(task).unwrap();
    }
}

#[test]
fn homes_log_in_and_go_where_the_store_goes() {
    let server = Options::new().user("app", "hunter2").start();
    for url in [
        format!("{}/3", server.url()),
        format!("redis+unix://app:hunter2@{}?db=2", server.socket().display()),
    ] {
        let (store, runtime) = (open(&url), on_one_thread());
        save(&store, "k", record(7, 50)).unwrap();
        move_in(&runtime, &server, &store);
        assert_eq!(runtime.block_on(glance(&store, "k")).unwrap(), Some(record(7, 50)));
    }
}

#[test]
fn runtime_that_ends_takes_its_connection_with_it_and_breaks_no_read_elsewhere() {
    let (server, store) = ground();
    let store = Arc::new(store);
    save(&*store, "k", record(1, 50)).unwrap();
    let staying = with_workers();
    move_in(&staying, &server, &store);
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, is_over) = (Arc::clone(&store), Arc::clone(&is_over));
            staying.spawn(async move {
                while !is_over.load(Ordering::Acquire) {
                    assert_eq!(glance(&store, "k").await.unwrap(), Some(record(1, 50)));
                }
            })
        })
        .collect();
    for _ in 0..10 {
        let ending = with_workers();
        move_in(&ending, &server, &store);
        for _ in 0..4 {
            let store = Arc::clone(&store);
            ending.spawn(async move { while glance(&store, "k").await.is_ok() {} });
        }
        // What is read when the runtime ends, and goes on to be polled elsewhere.
        let mut reading = pin!(glance(&store, "k"));
        let is_early = ending.block_on(std::future::poll_fn(|context| {
            Poll::Ready(reading.as_mut().poll(context).is_ready())
        }));
        assert!(!is_early, "it was asked and not answered yet");
        ending.shutdown_background();
        assert_eq!(wait(reading).unwrap(), Some(record(1, 50)));
    }
    is_over.store(true, Ordering::Release);
    for reader in readers {
        staying.block_on(reader).unwrap();
    }
    wait_until("two connections are left", || connections(&server) == 2);
}

#[test]
fn there_are_not_more_homes_than_so_many() {
    let (server, store) = ground();
    save(&store, "k", record(1, 50)).unwrap();
    let runtimes: Vec<_> = (0..MOST + 4).map(|_| on_one_thread()).collect();
    for runtime in &runtimes[..MOST] {
        move_in(runtime, &server, &store);
    }
    for runtime in &runtimes[MOST..] {
        for _ in 0..100 {
            assert_eq!(runtime.block_on(glance(&store, "k")).unwrap(), Some(record(1, 50)));
        }
    }
    assert_eq!(connections(&server), 1 + MOST);
    drop(runtimes);
    wait_until("their connections are closed", || connections(&server) == 1);
    move_in(&on_one_thread(), &server, &store);
}

#[test]
fn who_waits_on_the_only_thread_of_a_runtime_is_answered_at_once() {
    let server = Server::start();
    let store = Arc::new(connected(patient(&server.url())));
    let cache = Cache::builder().store(Arc::clone(&store) as _).near(0).build().unwrap();
    cache.set(cache_key!("v"), &7).timeout(Timeout::Never).wait().unwrap();
    let runtime = on_one_thread();
    move_in(&runtime, &server, &store);
    runtime.block_on(async {
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(cache.get::<i32>(cache_key!("v")).wait().unwrap(), 7);
        }
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert_eq!(cache.get::<i32>(cache_key!("v")).await.unwrap(), 7);
    });
}

#[test]
fn read_in_a_runtime_that_nobody_drives_is_answered_over_the_shared_connection() {
    let server = Server::start();
    let timeout = Duration::from_secs(2);
    let store = connected(RedisStore::builder(&server.url()).timeout(timeout));
    save(&store, "k", record(1, 50)).unwrap();
    let runtime = on_one_thread();
    move_in(&runtime, &server, &store);
    let _inside = runtime.enter();
    let start = Instant::now();
    for _ in 0..20 {
        let found = Driven::new(glance(&store, "k")).finish_within(timeout);
        assert_eq!(found.unwrap(), Some(record(1, 50)));
    }
    assert!(start.elapsed() < timeout, "only the first has to find out: {:?}", start.elapsed());
}

/// A runtime with so many workers and no I/O. Each test has its own number of them: what one lacks, all
/// of its kind in the process are taken to lack.
fn without_io(workers: usize) -> Runtime {
    let name = format!("without I/O {workers}");
    Builder::new_multi_thread().worker_threads(workers).thread_name(name).build().unwrap()
}

/// Counts the panics of runtimes without I/O that have so many workers; where each was.
fn panics_without_io(workers: usize) -> Arc<Mutex<Vec<String>>> {
    let panics = Arc::<Mutex<Vec<String>>>::default();
    let (seen, name) = (Arc::clone(&panics), format!("without I/O {workers}"));
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |about| {
        if thread::current().name() == Some(&name) {
            seen.lock().unwrap().push(about.location().unwrap().file().to_owned());
        } else {
            others(about);
        }
    }));
    panics
}

#[test]
fn runtimes_without_io_read_over_the_shared_connection_after_one_panic_of_the_first() {
    let (server, store) = ground();
    let other = connected(patient(&server.url()));
    save(&store, "k", record(1, 50)).unwrap();
    let panics = panics_without_io(3);
    for number in 0..5 {
        let runtime = without_io(3);
        for store in [&store, &other] {
            for _ in 0..100 {
                let found = runtime.block_on(glance(store, "k")).unwrap();
                assert_eq!(found, Some(record(1, 50)));
            }
            if number == 0 {
                wait_until("it is tried", || !panics.lock().unwrap().is_empty());
            }
        }
    }
    assert_eq!(connections(&server), 2);
    let panics = panics.lock().unwrap();
    assert!(panics.len() == 1 && panics[0].ends_with("runtime/sockets.rs"), "{panics:?}");
    move_in(&with_workers(), &server, &store);
}

#[test]
fn nothing_is_tried_for_servers_that_no_home_could_lead_to() {
    let server = Options::new().tls().start();
    let root = fs::read(server.certificate()).unwrap();
    let store = connected(patient(&server.url()).tls_root(root));
    save(&store, "k", record(1, 50)).unwrap();
    let panics = panics_without_io(5);
    let runtime = without_io(5);
    for _ in 0..100 {
        assert_eq!(runtime.block_on(glance(&store, "k")).unwrap(), Some(record(1, 50)));
    }
    // What has been tried by then has been tried before the runtime is gone.
    let tasks = runtime.metrics().num_alive_tasks();
    assert_eq!((tasks, panics.lock().unwrap().len()), (0, 0));
}

#[test]
fn what_a_home_soon_fails_to_answer_has_nearly_all_the_time_elsewhere() {
    let server = Server::start();
    let timeout = Duration::from_secs(3);
    let store = connected(RedisStore::builder(&server.url()).timeout(timeout));
    save(&store, "k", record(1, 50)).unwrap();
    let runtime = on_one_thread();
    move_in(&runtime, &server, &store);
    let id = home(&server);
    // Nobody drives the runtime, so nobody notices until it is read from.
    server.command(&["CLIENT", "KILL", "ID", &id]);
    server.pause(timeout * 2 / 3);
    assert_eq!(runtime.block_on(glance(&store, "k")).unwrap(), Some(record(1, 50)));
}

#[test]
fn nobody_has_a_home_where_that_is_not_wanted() {
    let server = Server::start();
    let store = connected(patient(&server.url()).callers_runtimes(false));
    let runtime = with_workers();
    for _ in 0..100 {
        assert!(!runtime.block_on(is_at_home(&server, &store)));
    }
}

#[test]
fn homes_that_are_cut_or_silent_cost_no_answer() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let store = connected(patient(&server.url_at(&proxy.address())));
    save(&store, "k", record(1, 50)).unwrap();
    let runtime = with_workers();
    for _ in 0..20 {
        move_in(&runtime, &server, &store);
        proxy.cut();
        wait_until("the way is found again", || {
            runtime.block_on(glance(&store, "k")).is_ok_and(|found| found == Some(record(1, 50)))
        });
    }
    move_in(&runtime, &server, &store);
    server.command(&["CLIENT", "KILL", "ID", &home(&server)]);
    for _ in 0..100 {
        assert_eq!(runtime.block_on(glance(&store, "k")).unwrap(), Some(record(1, 50)));
    }
    move_in(&runtime, &server, &store);
}

#[test]
fn nothing_is_read_from_a_server_that_the_store_has_left() {
    let one = Server::start();
    let other = one.replica();
    let store = open(&format!("redis://{},{}", one.address(), other.address()));
    save(&store, "k", record(1, 50)).unwrap();
    let runtime = with_workers();
    move_in(&runtime, &one, &store);
    other.wait_in_step_with(&one);
    other.lead();
    // It knows of no primary that it could be in step with, so what it has is old from now on.
    one.command(&["REPLICAOF", "127.0.0.1", "1"]);
    wait_until("the other is written to", || save(&store, "k", record(2, 50)).is_ok());
    for _ in 0..100 {
        assert_eq!(runtime.block_on(glance(&store, "k")).unwrap(), Some(record(2, 50)));
    }
    move_in(&runtime, &other, &store);
    wait_until("the first is left", || connections(&one) == 0);
    assert_eq!(connections(&other), 2);
}

#[test]
fn a_write_that_was_given_up_is_not_overtaken() {
    let (server, store) = ground();
    save(&store, "k", record(1, 50)).unwrap();
    let runtime = with_workers();
    move_in(&runtime, &server, &store);
    // Writes wait, reads do not.
    server.command(&["CLIENT", "PAUSE", "1000", "WRITE"]);
    let keys = [key("k")];
    let mut saving = Driven::new(store.save(&keys[0], record(2, 50), None, Guard::Always, &[]));
    let waits = || server.info("clients")["blocked_clients"] != "0";
    wait_until("the write is there", || saving.poll_times(1).is_pending() && waits());
    drop(saving);
    let found = runtime.block_on(glance(&store, "k")).unwrap();
    assert_eq!(found, Some(record(2, 50)));
    move_in(&runtime, &server, &store);
}

#[test]
fn what_is_kept_near_is_told_of_changes_wherever_it_is_read() {
    let (server, store) = ground();
    let store = Arc::new(store);
    let runtime = with_workers();
    move_in(&runtime, &server, &store);
    let cache = Cache::builder().store(Arc::clone(&store) as _).near(100).build().unwrap();
    let name = "keyedcache:1:v";
    let stored = |number: u64| {
        cache.set(cache_key!("v"), &number).wait().unwrap();
        let dump = server.command(&["COPY", name, &format!("copy{number}"), "REPLACE"]);
        assert_eq!(dump.number(), 1);
        number
    };
    let both = [stored(1), stored(2)];
    let read = || runtime.block_on(async { cache.get::<u64>(cache_key!("v")).await.ok() });
    // By others: whoever is in this process is told without the server.
    for number in both.into_iter().cycle().take(100) {
        server.command(&["COPY", &format!("copy{number}"), name, "REPLACE"]);
        // One round trip over the connection that is told.
        slot(&*store, "other").unwrap();
        assert_eq!([read(), read()], [Some(number); 2]);
    }
    assert!(cache.stats().near_hits >= 100, "it is kept near");
}

#[test]
fn nobody_follows_without_a_lease_what_began_before_another_process_deleted_the_key() {
    static GATE: Gate = Gate::new();
    #[cached(cache = "homes_unleased", timeout = 600, near = 0)]
    async fn f() -> usize {
        GATE.pass_async().await
    }
    let (server, store) = ground();
    let store = Arc::new(store);
    let cache = Cache::builder().store(Arc::clone(&store) as _).build().unwrap();
    cache.register("homes_unleased").unwrap();
    let runtime = with_workers();
    move_in(&runtime, &server, &store);
    assert_eq!(runtime.block_on(f()), 1);
    assert_eq!(runtime.block_on(f()), 1, "it is stored");
    f::invalidate_all().wait().unwrap();
    let name = server.command(&["KEYS", "keyedcache:*.f"]).list()[0].text();
    // Whoever was to be told of the record is told, and is to be told no more.
    server.command(&["PERSIST", &name]);
    slot(&*store, "other").unwrap();
    // No lease is granted, nor are scripts run.
    server.command(&["ACL", "SETUSER", "default", "-eval", "-evalsha"]);
    GATE.close();
    let before = runtime.spawn(f());
    wait_until("it computes", || GATE.running() == 1);
    server.command(&["UNLINK", &name]);
    let after = runtime.spawn(f());
    wait_until("the later one computes too", || GATE.running() == 2);
    GATE.open();
    let both = runtime.block_on(async { [before.await.unwrap(), after.await.unwrap()] });
    assert!(both == [2, 3] || both == [3, 2], "{both:?}");
    assert!(cache.stats().store_errors > 0, "there was no lease");
}
