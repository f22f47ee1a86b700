//! The other process of the disk store's tests: `disk_child <what> <folder> …`.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use keyedcache::store::{DiskStore, Guard, HolderId, LeaseToken, Leasing, Release, Store};
use keyedcache_tests::child::{die_with_the_test, hear, say};
use keyedcache_tests::dice::Dice;
use keyedcache_tests::drive::wait;
use keyedcache_tests::stored::{HOUR, is_whole, key, record, save, slot};

fn main() {
    die_with_the_test();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["open", folder] => open(folder),
        ["hold", folder, text] => hold(folder, text),
        ["serve", folder] => serve(folder),
        ["churn", folder, seed] => churn(folder, seed.parse().expect("a seed")),
        ["check", folder] => check(folder),
        ["write-lock", folder] => write_lock(Path::new(folder)),
        ["fork", folder] => fork(folder),
        _ => panic!("unknown arguments: {arguments:?}"),
    }
}

fn opened(folder: &str) -> DiskStore {
    DiskStore::builder(folder)
        .store_timeout(Duration::from_secs(20))
        .open()
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Says whether the folder opens, and keeps it open until the input ends.
fn open(folder: &str) {
    match DiskStore::open(folder) {
        Ok(_store) => {
            say("open");
            while hear().is_some() {}
        }
        Err(error) => say(&format!("{:?}: {error}", error.kind())),
    }
}

fn leased(store: &DiskStore, text: &str) -> LeaseToken {
    let token = LeaseToken::random(HolderId::random());
    let seen = slot(store, text).expect("it loads").record.map(|found| found.id());
    let answer = wait(store.lease(&key(text), token, HOUR, seen)).expect("the store answers");
    assert_eq!(answer, Leasing::Granted);
    token
}

/// Takes a lease for an hour and does nothing more.
fn hold(folder: &str, text: &str) {
    let store = opened(folder);
    leased(&store, text);
    say("held");
    while hear().is_some() {}
}

/// Does what each line says.
fn serve(folder: &str) {
    let store = opened(folder);
    say("open");
    let mut held = None;
    while let Some(line) = hear() {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("save", text) => {
                save(&store, text, record(1, 500)).expect("it saves");
            }
            ("lease", text) => held = Some((key(text), leased(&store, text))),
            ("save-leased", _) => {
                let (key, token) = held.take().expect("a lease");
                let saved = store.save(&key, record(2, 500), None, Guard::Lease(token), &[]);
                assert!(wait(saved).expect("it saves"));
                say(&store.now().as_micros().to_string());
                continue;
            }
            ("release", _) => {
                let (key, token) = held.take().expect("a lease");
                assert!(wait(store.release(&key, token, Release::Abandoned)).expect("it answers"));
            }
            _ => panic!("unknown request: {line}"),
        }
        say("done");
    }
}

/// Writes, deletes and leases whatever a seed makes up, until it is killed.
fn churn(folder: &str, seed: u64) {
    let store = opened(folder);
    say("open");
    let mut dice = Dice::of(seed);
    loop {
        let text = format!("key{}", dice.below(97));
        let length = usize::try_from(dice.below(20_000)).expect("small");
        let done = match dice.below(8) {
            0 => wait(store.delete(&[key(&text)])).map(|_| ()),
            1 => {
                let token = LeaseToken::random(HolderId::random());
                let found = slot(&store, &text).expect("it loads").record;
                let known = found.map(|found| found.id());
                wait(store.lease(&key(&text), token, HOUR, known)).map(|_| ())
            }
            _ => save(&store, &text, record(dice.seed(), length)).map(|_| ()),
        };
        done.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Reads everything, and says how much of it is whole and how much is not.
fn check(folder: &str) {
    let store = opened(folder);
    let (mut whole, mut broken, mut from) = (0, 0, None);
    loop {
        let page = wait(store.scan("", from.as_deref(), 100)).expect("it scans");
        for key in &page.keys {
            match slot(&store, key.as_str()).expect("it loads").record {
                Some(found) if is_whole(&found) => whole += 1,
                Some(_) => broken += 1,
                None => {}
            }
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    say(&format!("{whole} whole, {broken} broken"));
}

/// Stays inside a write transaction as a store would, until the input ends.
fn write_lock(folder: &Path) {
    let mut options = heed::EnvOpenOptions::new();
    #[allow(unsafe_code)]
    // SAFETY: the folder is a store's, on a local disk, and this process has it open once.
    let env = unsafe { options.map_size(64 << 20).open(folder) }.expect("it opens");
    drop(env.read_txn().expect("it reads")); // from then on LMDB tells that this process is alive
    let mut options = fs::File::options();
    let turn = options.write(true).open(folder.join("writer.turn")).expect("it is there");
    turn.write_all_at(&std::process::id().to_ne_bytes(), 0).expect("it takes the turn");
    let writing = env.write_txn().expect("it begins");
    say("writing");
    while hear().is_some() {}
    drop(writing);
}

/// Forks with the store open, and prints what parent and child then find.
fn fork(folder: &str) {
    let store = opened(folder);
    save(&store, "k", record(1, 500)).expect("it saves");
    #[allow(unsafe_code)]
    // SAFETY: the child calls nothing that needs the threads it does not have: it refuses at once,
    // prints, and leaves without running what is left of the program.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let load = slot(&store, "k").expect_err("refused");
        let write = save(&store, "k", record(2, 500)).expect_err("refused");
        let trusted = store.trusted();
        drop(store);
        say(&format!("child: {:?}, {:?}, {trusted}: {load}", load.kind(), write.kind()));
        #[allow(unsafe_code)]
        // SAFETY: ends the process, and nothing else.
        unsafe {
            libc::_exit(0)
        }
    }
    let mut status = 0;
    #[allow(unsafe_code)]
    // SAFETY: waits for the child that was just made, and writes to a variable of its own.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0));
    save(&store, "k", record(3, 500)).expect("the parent goes on");
    let found = slot(&store, "k").expect("it loads").record;
    assert_eq!(found, Some(record(3, 500)));
    say("parent: goes on");
}
