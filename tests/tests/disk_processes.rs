//! The disk store between processes: what one does the others see, and what becomes of the others
//! when one is stopped or killed.

use std::collections::{HashMap, HashSet};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::ErrorKind;
use keyedcache::record::{RecordId, ScopeId};
use keyedcache::store::{
    DiskStore, HolderId, KeyDigest, LeaseToken, Leasing, Release, Sink, Store,
};
use keyedcache_tests::child::Child;
use keyedcache_tests::drive::wait;
use keyedcache_tests::stored::{HOUR, key, record, save, slot};

const CHILD: &str = env!("CARGO_BIN_EXE_disk_child");

fn child(what: &str, folder: &tempfile::TempDir, more: &[&str]) -> Child {
    let folder = folder.path().to_str().expect("a path of text");
    let arguments = [&[what, folder], more].concat();
    Child::start(CHILD, &arguments)
}

fn ask(store: &DiskStore, text: &str) -> Leasing {
    let token = LeaseToken::random(HolderId::random());
    wait(store.lease(&key(text), token, HOUR, None)).expect("the store answers")
}

#[test]
fn what_one_process_saves_another_loads() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let mut other = child("serve", &folder, &[]);
    other.expect("open");
    other.say("save k");
    other.expect("done");
    assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, 500)));
}

#[derive(Default)]
struct Heard(AtomicUsize);

impl Sink for Heard {
    fn key_changed(&self, digest: KeyDigest) {
        assert_eq!(digest, key("k").digest());
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn scope_changed(&self, _: ScopeId) {}

    fn lost(&self) {}
}

#[test]
fn what_one_process_saves_another_is_told_before_it_trusts() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let mut other = child("serve", &folder, &[]);
    other.expect("open");
    let heard: Arc<Heard> = Arc::default();
    let sink: Arc<dyn Sink> = heard.clone();
    let sink: Weak<dyn Sink> = Arc::downgrade(&sink);
    store.subscribe(HolderId::random(), sink);
    assert!(store.trusted());
    assert_eq!(heard.0.load(Ordering::SeqCst), 0);
    for round in 1..=20 {
        other.say("save k");
        other.expect("done");
        assert!(store.trusted());
        assert_eq!(heard.0.load(Ordering::SeqCst), round);
    }
}

/// The digests of what has been told.
#[derive(Default)]
struct Told {
    keys: Mutex<HashSet<KeyDigest>>,
    lost: AtomicUsize,
}

impl Sink for Told {
    fn key_changed(&self, digest: KeyDigest) {
        self.keys.lock().expect("nobody panics").insert(digest);
    }

    fn scope_changed(&self, _: ScopeId) {}

    fn lost(&self) {
        self.lost.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn no_change_goes_untold_while_processes_write_and_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let told: Arc<Told> = Arc::default();
    let sink: Arc<dyn Sink> = told.clone();
    store.subscribe(HolderId::random(), Arc::downgrade(&sink));
    let mut seeds = 0_u64..;
    let mut start = || child("churn", &folder, &[&seeds.next().expect("without end").to_string()]);
    let mut others = [start(), start()];
    for other in &mut others {
        other.expect("open");
    }
    let mut known: HashMap<String, Option<RecordId>> = HashMap::new();
    let (until, mut changed) = (Instant::now() + Duration::from_secs(3), 0);
    for round in 0.. {
        let text = format!("key{}", round * 31 % 97);
        // As a near cache does: what is told by now is forgotten, then what stands there is read.
        assert!(store.trusted());
        let was_told = told.keys.lock().unwrap().remove(&key(&text).digest());
        let was_lost = told.lost.swap(0, Ordering::SeqCst) > 0;
        if was_lost {
            known.clear();
        }
        let before = known.get(&text).copied().filter(|_| !was_told);
        let found = slot(&store, &text).unwrap().record.map(|record| record.id());
        if before.is_some_and(|before| before != found) {
            // It came in between, so it is told by now.
            changed += 1;
            assert!(store.trusted());
            let is_told = told.keys.lock().unwrap().contains(&key(&text).digest());
            assert!(is_told || told.lost.load(Ordering::SeqCst) > 0, "round {round}: {text}");
        }
        known.insert(text, found);
        if round % 5_000 == 4_999 {
            others[0].kill();
            others[0] = start();
            others[0].expect("open");
        }
        if Instant::now() > until {
            break;
        }
    }
    assert!(changed > 0, "nothing came in between");
}

#[test]
fn lease_of_a_killed_process_is_granted_to_the_next_within_100_ms() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let mut holder = child("hold", &folder, &["k"]);
    holder.expect("held");
    assert!(matches!(ask(&store, "k"), Leasing::Held { .. }));
    holder.kill();
    let killed = Instant::now();
    assert_eq!(ask(&store, "k"), Leasing::Granted);
    assert!(killed.elapsed() < Duration::from_millis(100));
}

#[test]
fn lease_of_a_process_that_ended_well_is_granted_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let mut holder = child("serve", &folder, &[]);
    holder.expect("open");
    holder.say("lease k");
    holder.expect("done");
    assert!(matches!(ask(&store, "k"), Leasing::Held { .. }));
    holder.finish();
    assert_eq!(ask(&store, "k"), Leasing::Granted);
}

#[test]
fn waiter_is_woken_within_100_ms_of_the_holders_death() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let mut holder = child("hold", &folder, &["k"]);
    holder.expect("held");
    let held = slot(&store, "k").unwrap().lease.unwrap();
    let (waiting, is_waiting) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            waiting.send(()).unwrap();
            wait(store.changed(&key("k"), held, HOUR)).unwrap();
            Instant::now()
        });
        is_waiting.recv().unwrap();
        holder.kill();
        let killed = Instant::now();
        let woken = waiter.join().unwrap();
        let late = woken.saturating_duration_since(killed);
        assert!(late < Duration::from_millis(100), "{late:?}");
    });
}

#[test]
fn waiter_is_woken_within_5_ms_of_another_process_saving() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let mut holder = child("serve", &folder, &[]);
    holder.expect("open");
    let mut late: Vec<_> = (0..31)
        .map(|round| {
            let text = format!("k{round}");
            holder.say(&format!("lease {text}"));
            holder.expect("done");
            let held = slot(&store, &text).unwrap().lease.unwrap();
            thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    wait(store.changed(&key(&text), held, HOUR)).unwrap();
                    store.now().as_micros()
                });
                holder.say("save-leased");
                let saved: u64 = holder.hear().unwrap().parse().unwrap();
                waiter.join().unwrap().saturating_sub(saved)
            })
        })
        .collect();
    late.sort_unstable();
    println!("median {} µs, worst {} µs", late[15], late[30]);
    assert!(late[15] < 5_000, "{late:?}");
}

#[test]
fn process_stopped_inside_a_write_stops_no_reads_and_others_writes_fail_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        DiskStore::builder(folder.path()).store_timeout(Duration::from_millis(200)).open().unwrap();
    save(&store, "k", record(1, 500)).unwrap();
    let mut writer = child("write-lock", &folder, &[]);
    writer.expect("writing");
    writer.stop();
    for _ in 0..3 {
        let start = Instant::now();
        let error = save(&store, "k", record(2, 500)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(start.elapsed() >= Duration::from_millis(200));
        assert!(start.elapsed() < Duration::from_secs(2));
        let start = Instant::now();
        assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, 500)));
        assert!(start.elapsed() < Duration::from_millis(100));
    }
    writer.go_on();
    writer.kill();
    let until = Instant::now() + Duration::from_secs(10);
    while let Err(error) = save(&store, "other", record(3, 500)) {
        assert!(Instant::now() < until, "{error}");
    }
    // What timed out was called off, and is not done late.
    assert_eq!(slot(&store, "k").unwrap().record, Some(record(1, 500)));
}

#[test]
fn process_killed_inside_a_write_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    for round in 0..3 {
        let mut writer = child("write-lock", &folder, &[]);
        writer.expect("writing");
        writer.kill();
        let start = Instant::now();
        save(&store, "k", record(round, 500)).unwrap();
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    }
}

#[test]
fn no_process_is_kept_from_writing_by_others_that_do_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let others = ["1", "2"].map(|seed| child("churn", &folder, &[seed]));
    for other in &others {
        other.expect("open");
    }
    for number in 0..2_000 {
        // Each within `store_timeout`.
        save(&store, &format!("own{}", number % 50), record(number, 500)).unwrap();
    }
}

#[test]
fn store_that_is_dropped_while_another_is_stopped_inside_a_write_does_not_hang() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        DiskStore::builder(folder.path()).store_timeout(Duration::from_millis(100)).open().unwrap();
    let writer = child("write-lock", &folder, &[]);
    writer.expect("writing");
    let error = save(&store, "k", record(1, 500)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let start = Instant::now();
    drop(store);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn child_of_a_fork_is_refused_and_the_parent_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let both = child("fork", &folder, &[]);
    let line = both.hear().unwrap();
    assert!(line.starts_with("child: Unavailable, Unavailable, "), "{line}");
    assert!(line.contains("forked"), "{line}");
    both.expect("parent: goes on");
    both.finish();
}

#[test]
fn processes_of_two_pid_namespaces_are_told_that_they_cannot_share_a_folder() {
    let enter = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let permitted = Command::new("unshare").args(enter).arg("true").status();
    if !permitted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: this user may make no PID namespace");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let path = folder.path().to_str().unwrap();
    let arguments = [&enter[..], &[CHILD, "open", path]].concat();
    let line = Child::start("unshare", &arguments).hear().unwrap();
    assert!(line.starts_with("Unavailable: "), "{line}");
    assert!(line.contains("PID namespace"), "{line}");
    drop(store);
    let alone = Child::start("unshare", &arguments);
    alone.expect("open");
    let error = DiskStore::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("PID namespace"), "{error}");
}

#[test]
fn released_lease_is_granted_to_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let mut other = child("serve", &folder, &[]);
    other.expect("open");
    other.say("lease k");
    other.expect("done");
    other.say("release k");
    other.expect("done");
    let token = LeaseToken::random(HolderId::random());
    assert_eq!(wait(store.lease(&key("k"), token, HOUR, None)).unwrap(), Leasing::Granted);
    assert!(wait(store.release(&key("k"), token, Release::Abandoned)).unwrap());
}
