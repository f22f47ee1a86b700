use std::path::Path;
use std::sync::Mutex as StdMutex;
use std::time::Instant;

use bytes::Bytes;

use super::super::Slot;
use super::*;
use crate::record::ScopeId;
use crate::store::KeyDigest;

fn wait<T>(pending: Pending<'_, T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let mut runtime = runtime;
    runtime.build().unwrap().block_on(pending)
}

fn key(text: &str) -> StoredKey {
    StoredKey::new(text)
}

/// A record of `length` bytes under a new id.
fn record(length: usize) -> Record {
    let mut bytes = vec![7; length.max(20)];
    bytes[4..20].copy_from_slice(&RecordId::random().0);
    Record::from_bytes(Bytes::from(bytes))
}

fn save(store: &DiskStore, text: &str, record: &Record, ttl: Ttl) -> Result<bool, Error> {
    wait(store.save(&key(text), record.clone(), ttl, Guard::Always))
}

fn slot(store: &DiskStore, text: &str) -> Slot {
    let mut loaded = wait(store.load(&[key(text)], &[])).unwrap();
    loaded.slots.remove(0)
}

fn small(folder: &Path) -> DiskStore {
    DiskStore::builder(folder).size_limit(MIN_SIZE_LIMIT).open().unwrap()
}

#[test]
fn a_record_outlives_the_store_that_saved_it() {
    let folder = tempfile::tempdir().unwrap();
    let saved = record(1000);
    let store = DiskStore::open(folder.path()).unwrap();
    assert!(save(&store, "k", &saved, None).unwrap());
    drop(store);
    let store = DiskStore::open(folder.path()).unwrap();
    assert_eq!(slot(&store, "k").record, Some(saved));
}

#[test]
fn a_second_opening_in_one_process_is_refused_until_the_first_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let first = DiskStore::open(folder.path()).unwrap();
    let error = DiskStore::open(folder.path().join(".")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("open already"), "{error}");
    drop(first);
    DiskStore::open(folder.path()).unwrap();
}

#[test]
fn the_store_stays_below_its_limit_and_forgets_the_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    for number in 0..3000 {
        assert!(save(&store, &format!("k{number}"), &record(1000), None).unwrap());
    }
    assert_eq!(slot(&store, "k0").record, None);
    assert!(slot(&store, "k2999").record.is_some());
    let kept = (0..3000).filter(|number| slot(&store, &format!("k{number}")).record.is_some());
    assert!(kept.count() > 300);
    let file = std::fs::metadata(folder.path().join("data.mdb")).unwrap();
    assert!(file.len() <= MIN_SIZE_LIMIT * 2, "{}", file.len());
}

#[test]
fn what_has_ended_goes_before_what_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Moment::from_micros(1 << 50));
    let store = DiskStore::builder(folder.path())
        .size_limit(MIN_SIZE_LIMIT)
        .clock(clock.clone())
        .open()
        .unwrap();
    save(&store, "old", &record(1000), None).unwrap();
    let minute = Duration::from_mins(1);
    for number in 0..450 {
        save(&store, &format!("ending{number}"), &record(1000), Some(minute)).unwrap();
    }
    clock.advance(2 * minute);
    for number in 0..450 {
        save(&store, &format!("new{number}"), &record(1000), None).unwrap();
    }
    assert!(slot(&store, "old").record.is_some());
    let lost = (0..450).filter(|number| slot(&store, &format!("new{number}")).record.is_none());
    assert_eq!(lost.count(), 0);
}

#[test]
fn a_record_that_is_too_large_is_refused_and_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    let kept = record(100);
    save(&store, "k", &kept, None).unwrap();
    let error = save(&store, "k", &record(300_000), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(slot(&store, "k").record, Some(kept));
}

#[test]
fn large_records_come_and_go_without_filling_the_map() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    for round in 0..400_usize {
        let size = 3_000 + (round * 7_919) % 200_000;
        save(&store, &format!("k{}", round % 37), &record(size), None)
            .unwrap_or_else(|error| panic!("round {round}, {size} bytes: {error}"));
    }
}

#[test]
fn a_pinned_reader_fills_the_map_and_deletions_still_work() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    save(&store, "first", &record(1000), None).unwrap();
    let scope = Scope::new("scope");
    let before = wait(store.generations(std::slice::from_ref(&scope))).unwrap();
    let opening = Arc::clone(&store.opening);
    let (pinned, is_pinned) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        let _snapshot = opening.env.read_txn().unwrap();
        pinned.send(()).unwrap();
        let _ = ended.recv();
    });
    is_pinned.recv().unwrap();
    let refused = (0..20_000)
        .find_map(|number| save(&store, &format!("k{}", number % 50), &record(1000), None).err());
    assert_eq!(refused.expect("the map is full").kind(), ErrorKind::Full);
    for round in 0..8 {
        let severity = Severity::Hard;
        wait(store.invalidate(std::slice::from_ref(&scope), severity))
            .unwrap_or_else(|error| panic!("invalidation {round}: {error}"));
        wait(store.delete(&[key(&format!("k{round}"))]))
            .unwrap_or_else(|error| panic!("deletion {round}: {error}"));
        let _ = save(&store, "more", &record(1000), None);
    }
    let after = wait(store.generations(&[scope])).unwrap();
    assert_ne!(before, after);
    drop(end);
    reader.join().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while save(&store, "again", &record(1000), None).is_err() {
        assert!(Instant::now() < until, "room is found again");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[derive(Default)]
struct Heard(StdMutex<Vec<String>>);

impl Sink for Heard {
    fn key_changed(&self, key: KeyDigest) {
        self.0.lock().unwrap().push(format!("key {}", key.0));
    }

    fn scope_changed(&self, scope: ScopeId) {
        self.0.lock().unwrap().push(format!("{scope:?}"));
    }

    fn lost(&self) {
        self.0.lock().unwrap().push("lost".into());
    }
}

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn own_changes_are_told_before_they_resolve_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    let heard: Arc<Heard> = Arc::default();
    let sink: Arc<dyn Sink> = heard.clone();
    let holder = HolderId::random();
    store.subscribe(holder, Arc::downgrade(&sink));
    save(&store, "k", &record(100), None).unwrap();
    let told = format!("key {}", key("k").digest().0);
    assert_eq!(heard.take(), [told]);
    assert!(store.trusted());
    assert!(heard.take().is_empty());
    let token = LeaseToken::random(holder);
    let seen = slot(&store, "k").record.map(|record| record.id());
    let minute = Duration::from_mins(1);
    assert_eq!(wait(store.lease(&key("k"), token, minute, seen)).unwrap(), Leasing::Granted);
    assert!(wait(store.save(&key("k"), record(100), None, Guard::Lease(token))).unwrap());
    assert!(store.trusted());
    assert!(heard.take().is_empty());
    let scope = Scope::new("s");
    wait(store.invalidate(std::slice::from_ref(&scope), Severity::Soft)).unwrap();
    assert_eq!(heard.take(), [format!("{:?}", scope.id())]);
}

#[test]
fn whoever_is_too_far_behind_is_told_that_changes_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    let heard: Arc<Heard> = Arc::default();
    let sink: Arc<dyn Sink> = heard.clone();
    store.subscribe(HolderId::random(), Arc::downgrade(&sink));
    save(&store, "k", &record(100), None).unwrap();
    heard.take();
    for _ in 0..ring::KEPT + 100 {
        save(&store, "k", &record(100), None).unwrap();
    }
    heard.take();
    store.opening.ring.rewind(1000);
    assert!(store.trusted());
    assert_eq!(heard.take().len(), 1000);
    store.opening.ring.rewind(ring::KEPT + 1);
    assert!(store.trusted());
    assert_eq!(heard.take(), ["lost"]);
}

#[test]
fn a_waiter_is_woken_by_the_save_and_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    let token = LeaseToken::random(HolderId::random());
    let minute = Duration::from_mins(1);
    assert_eq!(wait(store.lease(&key("k"), token, minute, None)).unwrap(), Leasing::Granted);
    let start = Instant::now();
    wait(store.changed(&key("k"), token, Duration::from_millis(30))).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(30));
    let start = Instant::now();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| wait(store.changed(&key("k"), token, minute)));
        while !store.opening.waiters.is_watching() {
            std::thread::yield_now();
        }
        wait(store.save(&key("k"), record(100), None, Guard::Lease(token))).unwrap();
        waiter.join().unwrap().unwrap();
    });
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// Prints what loads and saves cost beside bare LMDB:
/// `cargo test --release -p keyedcache --lib costs -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn costs() {
    const RECORDS: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let texts: Vec<_> = (0..RECORDS).map(|n| format!("app:1:product::{n}")).collect();
    let keys: Vec<_> = texts.iter().map(|text| key(text)).collect();
    for key in &keys {
        wait(store.save(key, record(1000), Some(Duration::from_mins(5)), Guard::Always)).unwrap();
    }
    let scopes = [Scope::new("cache"), Scope::new("function")];
    wait(store.generations(&scopes)).unwrap();
    let bare = tempfile::tempdir().unwrap();
    let (env, tree) = environment::open(bare.path(), 1 << 30).unwrap();
    let value = vec![7_u8; 1000];
    for text in &texts {
        let mut txn = env.write_txn().unwrap();
        tree.put(&mut txn, text.as_bytes(), &value).unwrap();
        txn.commit().unwrap();
    }
    let sample = record(1000);
    let noop = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(noop);
    let time = |name: &str, count: usize, body: &mut dyn FnMut(usize)| {
        let mut rounds: Vec<_> = (0..9)
            .map(|_| {
                let start = Instant::now();
                (0..count).for_each(|n| body(n * 7919 % RECORDS));
                start.elapsed().as_nanos() as usize / count
            })
            .collect();
        rounds.sort_unstable();
        println!("{name:32} {:>7} ns", rounds[4]);
    };
    time("bare get", 100_000, &mut |n| {
        let txn = env.read_txn().unwrap();
        let got = tree.get(&txn, texts[n].as_bytes()).unwrap();
        std::hint::black_box(Bytes::copy_from_slice(got.unwrap()));
    });
    time("load, 2 generations", 100_000, &mut |n| {
        let keys = std::slice::from_ref(&keys[n]);
        let mut pending = store.load(keys, &scopes);
        assert!(pending.as_mut().poll(&mut context).is_ready());
    });
    time("trusted", 1_000_000, &mut |_| {
        assert!(std::hint::black_box(&store).trusted());
    });
    time("bare put", 5_000, &mut |n| {
        let mut txn = env.write_txn().unwrap();
        tree.put(&mut txn, texts[n].as_bytes(), &value).unwrap();
        txn.commit().unwrap();
    });
    time("save, on the writer's thread", 5_000, &mut |n| {
        let mut writing = writing::Writing::begin(&store.opening).unwrap();
        let ttl = Some(Duration::from_mins(5));
        let key = &keys[n];
        assert!(writing.save(key, &sample, ttl, Guard::Always).unwrap());
        writing.commit().unwrap();
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    time("save", 5_000, &mut |n| {
        let ttl = Some(Duration::from_mins(5));
        let saved = store.save(&keys[n], sample.clone(), ttl, Guard::Always);
        assert!(runtime.block_on(saved).unwrap());
    });
    time("64 saves at once", 100, &mut |n| {
        let ttl = Some(Duration::from_mins(5));
        let saves: Vec<_> = (0..64)
            .map(|m| {
                let key = &keys[(n + m * 97) % RECORDS];
                let mut save = store.save(key, sample.clone(), ttl, Guard::Always);
                let is_done = save.as_mut().poll(&mut context).is_ready();
                (save, is_done)
            })
            .collect();
        for (save, _) in saves.into_iter().filter(|(_, is_done)| !is_done) {
            assert!(runtime.block_on(save).unwrap());
        }
    });
}
