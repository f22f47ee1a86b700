//! The disk store in odd conditions: full and read-only disks, folders that go, that are damaged, or
//! that are somebody else's, and machines that stop.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use keyedcache::record::Scope;
use keyedcache::store::{DiskStore, Severity, Store};
use keyedcache::{Error, ErrorKind};
use keyedcache_tests::child::Child;
use keyedcache_tests::drive::wait;
use keyedcache_tests::stored::{key, record, save, slot};
use keyedcache_tests::tmpfs::Tmpfs;

const CHILD: &str = env!("CARGO_BIN_EXE_disk_child");

fn refused(folder: &Path) -> Error {
    DiskStore::open(folder).expect_err("refused")
}

#[test]
fn full_disk_is_an_error_and_not_the_end_of_the_process() {
    let Some(disk) = Tmpfs::mount("size=4m") else {
        return;
    };
    let store = DiskStore::open(disk.path().join("cache")).unwrap();
    save(&store, "k", record(1, 500)).unwrap();
    let scope = [Scope::new("scope")];
    let before = wait(store.generations(&scope)).unwrap();
    for round in 0..200 {
        // What is removed makes room, so this may go well for ever.
        if let Err(error) = save(&store, &format!("large{round}"), record(2, 100_000)) {
            assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        }
    }
    fs::write(disk.path().join("filler"), vec![0; 4 << 20]).unwrap_err();
    for round in 0..200 {
        if let Err(error) = save(&store, &format!("small{round}"), record(3, 9_000)) {
            assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        }
    }
    wait(store.invalidate(&scope, Severity::Hard)).unwrap();
    wait(store.delete(&[key("small1")])).unwrap();
    assert_ne!(wait(store.generations(&scope)).unwrap(), before);
    fs::remove_file(disk.path().join("filler")).unwrap();
    save(&store, "after", record(4, 500)).unwrap();
    assert_eq!(slot(&store, "after").unwrap().record, Some(record(4, 500)));
}

#[test]
fn full_disk_at_opening_is_an_error() {
    let Some(disk) = Tmpfs::mount("size=64k") else {
        return;
    };
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![0; 1 << 20]).unwrap_err();
    let folder = disk.path().join("cache");
    let error = refused(&folder);
    assert!(matches!(error.kind(), ErrorKind::Full | ErrorKind::Unavailable), "{error}");
    assert!(error.to_string().contains(folder.to_str().unwrap()), "{error}");
    fs::remove_file(&filler).unwrap();
    disk.remount("size=16m");
    let store = DiskStore::open(&folder).unwrap();
    save(&store, "k", record(1, 500)).unwrap();
}

#[test]
fn read_only_folder_is_refused_with_the_reason() {
    let Some(disk) = Tmpfs::mount("size=4m") else {
        return;
    };
    let folder = disk.path().join("cache");
    drop(DiskStore::open(&folder).unwrap());
    disk.remount("ro");
    let error = refused(&folder);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("make it writable"), "{error}");
}

#[test]
fn folder_that_is_a_file_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "mine").unwrap();
    let error = refused(&file);
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
}

#[test]
fn folder_removed_under_a_running_process_is_an_error_until_it_is_opened_anew() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("cache");
    let store = DiskStore::open(&folder).unwrap();
    save(&store, "k", record(1, 500)).unwrap();
    assert!(store.trusted());
    fs::remove_dir_all(&folder).unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    while store.trusted() {
        assert!(Instant::now() < until, "the removal is noticed");
    }
    for error in [
        slot(&store, "k").unwrap_err(),
        save(&store, "k", record(2, 500)).unwrap_err(),
        wait(store.delete(&[key("k")])).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("removed"), "{error}");
    }
    drop(store);
    let store = DiskStore::open(&folder).unwrap();
    assert_eq!(slot(&store, "k").unwrap().record, None);
    save(&store, "k", record(3, 500)).unwrap();
}

/// A closed store with one record and a file that is not the store's.
fn left(folder: &Path) {
    let store = DiskStore::open(folder).expect("the folder is usable");
    save(&store, "k", record(1, 500)).expect("the folder is usable");
    fs::write(folder.join("notes.txt"), "mine").expect("the folder is usable");
}

fn is_emptied(folder: &Path) {
    let store = DiskStore::open(folder).expect("the folder is usable");
    assert_eq!(slot(&store, "k").expect("the folder is usable").record, None);
    save(&store, "k", record(2, 500)).expect("the folder is usable");
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).expect("the folder is usable"), "mine");
}

#[test]
fn damaged_environment_is_emptied_at_the_next_opening() {
    for damage in [
        (|file: &File| file.write_all_at(&[0xa5; 16_384], 0)) as fn(&File) -> _,
        |file| file.set_len(0),
        |file| file.set_len(5),
        |file| file.write_all_at(&[0; 8192], 0),
    ] {
        let folder = tempfile::tempdir().unwrap();
        left(folder.path());
        let data = File::options().write(true).open(folder.path().join("data.mdb"));
        damage(&data.unwrap()).unwrap();
        is_emptied(folder.path());
    }
}

#[test]
fn folder_is_emptied_if_the_tail_of_its_log_is_gone_or_damaged() {
    for damage in [
        (|tail: &Path| fs::remove_file(tail)) as fn(&Path) -> _,
        |tail| fs::write(tail, [0xa5; 16_384]),
        |tail| fs::write(tail, "cut off"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        left(folder.path());
        damage(&folder.path().join("log.tail")).unwrap();
        is_emptied(folder.path());
    }
}

#[test]
fn environment_that_was_cut_off_kills_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    {
        let store = DiskStore::open(path).unwrap();
        for number in 0..500 {
            save(&store, &format!("k{number}"), record(number, 3000)).unwrap();
        }
    }
    let data = File::options().write(true).open(folder.path().join("data.mdb"));
    data.unwrap().set_len(3 * 4096).unwrap();
    // Another process, since what this is about ends it.
    let first = Child::start(CHILD, &["check", path]);
    let line = first.hear();
    assert!(line.as_ref().is_none_or(|line| line.ends_with(" 0 broken")), "{line:?}");
    first.end(); // however it ended, it said nothing wrong
    let second = Child::start(CHILD, &["check", path]);
    assert!(second.hear().unwrap().ends_with(" 0 broken"));
    second.finish();
}

#[test]
fn folder_of_somebody_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.mdb");
    fs::write(&data, "an environment").unwrap();
    let error = refused(folder.path());
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("not keyedcache's"), "{error}");
    assert_eq!(fs::read_to_string(data).unwrap(), "an environment");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn folder_of_another_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    left(folder.path());
    let marker = folder.path().join("keyedcache.meta");
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("format 4", "format 5")).unwrap();
    let error = refused(folder.path());
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("format 5"), "{error}");
    fs::write(&marker, text).unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, 500)));
}

/// Makes it look as though the machine had been started again since.
fn restart(folder: &Path, state: &str) {
    let marker = folder.join("keyedcache.meta");
    let text = fs::read_to_string(&marker).expect("the folder is usable");
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some(("boot", _)) => "boot another".to_owned(),
        Some(("state", _)) => format!("state {state}"),
        _ => line.to_owned(),
    });
    let text: Vec<_> = lines.collect();
    fs::write(&marker, text.join("\n")).expect("the folder is usable");
}

#[test]
fn folder_is_emptied_after_an_unclean_stop_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    left(folder.path());
    restart(folder.path(), "open");
    is_emptied(folder.path());
}

#[test]
fn folder_that_was_closed_outlives_a_restart_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    left(folder.path());
    let marker = fs::read_to_string(folder.path().join("keyedcache.meta")).unwrap();
    assert!(marker.contains("state clean"), "{marker}");
    restart(folder.path(), "clean");
    let store = DiskStore::open(folder.path()).unwrap();
    assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, 500)));
}

#[test]
fn folder_left_by_a_killed_process_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut killed = Child::start(CHILD, &["serve", path]);
    killed.expect("open");
    killed.say("save k");
    killed.expect("done");
    killed.kill();
    let store = DiskStore::open(path).unwrap();
    assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, 500)));
}

#[test]
fn limit_and_timeout_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = DiskStore::builder(folder.path()).size_limit(1).open();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
}
