//! Stores that cannot be opened, or not yet.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use keyedcache::{Cache, cache_clear, cache_key, cache_require, cache_set, cache_stats, cached};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::process::{Process, role};
use keyedcache_tests::watchdog::{PATIENCE, wait_until, within};

static RUNS: Gate = Gate::new();

#[cached(timeout = 60)]
fn counted(x: usize) -> usize {
    RUNS.pass() + x
}

static LOCAL_RUNS: AtomicUsize = AtomicUsize::new(0);

#[cached(local, timeout = 60)]
fn local() -> usize {
    LOCAL_RUNS.fetch_add(1, Ordering::SeqCst)
}

/// Runs the test's other half in a process whose default cache is in a folder where a file is; the
/// role is that file.
fn with_a_file_in_place_of_the_folder(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache").display().to_string();
    fs::write(&file, "in the way").unwrap();
    Process::start(&format!("opening::{test}"), &file, &format!("disk:{file}")).finish();
}

#[test]
fn a_function_uses_its_cache_by_itself_once_that_can_be_opened() {
    let Some(file) = role() else {
        let test = "a_function_uses_its_cache_by_itself_once_that_can_be_opened";
        return with_a_file_in_place_of_the_folder(test);
    };
    assert_eq!((counted(0), counted(0)), (1, 2), "it computes");
    fs::remove_file(file).unwrap();
    // Nothing but the function asks for the cache. What cost time in vain is not tried all the time.
    wait_until("it is cached", || counted(0) == counted(0));
    let answer = counted(0);
    assert_eq!((counted(0), RUNS.runs()), (answer, answer));
    assert_eq!((cache_stats().computed, cache_stats().saved), (1, 1));
}

#[test]
fn whatever_is_asked_first_finds_the_cache_that_can_be_opened_by_now() {
    let Some(file) = role() else {
        let test = "whatever_is_asked_first_finds_the_cache_that_can_be_opened_by_now";
        return with_a_file_in_place_of_the_folder(test);
    };
    assert!(cache_require().wait().is_err());
    assert!(cache_set(cache_key!("a"), &1).wait().is_err());
    fs::remove_file(file).unwrap();
    wait_until("it can be used", || cache_set(cache_key!("a"), &1).wait().is_ok());
    cache_require().wait().unwrap();
    assert_eq!((counted(0), counted(0)), (1, 1));
}

#[test]
fn what_was_kept_here_before_the_cache_could_be_opened_goes_with_all_else() {
    let Some(file) = role() else {
        let test = "what_was_kept_here_before_the_cache_could_be_opened_goes_with_all_else";
        return with_a_file_in_place_of_the_folder(test);
    };
    assert_eq!((local(), local()), (0, 0), "a local function needs no store");
    fs::remove_file(file).unwrap();
    wait_until("it is cleared", || cache_clear().wait().is_ok());
    assert_eq!((local(), local()), (1, 1));
}

#[cached(cache = "ready", timeout = 60)]
fn of_ready() -> usize {
    RUNS.pass()
}

#[cached(cache = "new", timeout = 60)]
fn of_new() -> usize {
    RUNS.pass()
}

/// What is read from a pipe takes as long to be opened as nobody writes to it.
#[test]
fn while_one_cache_is_opened_all_others_are_used() {
    let test = "opening::while_one_cache_is_opened_all_others_are_used";
    let Some(pipe) = role() else {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("caches.toml").display().to_string();
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        return Process::start_in(test, &pipe, &[("KEYEDCACHE_CONFIG", &pipe)]).finish();
    };
    let cache = || Cache::builder().build().unwrap();
    cache().register("ready").unwrap();
    let opening = thread::spawn(|| Cache::named("slow").map(|cache| cache.stats().saved));
    // There is somebody to write for once it is being read.
    let mut pipe = within(PATIENCE, || File::options().write(true).open(pipe).unwrap());
    within(PATIENCE, move || {
        Cache::named("ready").unwrap().set(cache_key!("a"), &1).wait().unwrap();
        assert_eq!((of_ready(), of_ready()), (1, 1));
        cache().register("new").unwrap();
        assert_eq!((of_new(), of_new()), (2, 2));
    });
    assert!(!opening.is_finished());
    pipe.write_all(b"[slow]\nurl = \"memory:\"\n").unwrap();
    drop(pipe);
    assert_eq!(opening.join().unwrap().unwrap(), 0);
}
