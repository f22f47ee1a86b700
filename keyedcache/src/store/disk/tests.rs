use std::sync::Mutex as StdMutex;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::builder::MIN_SIZE_LIMIT;
use super::tail::PLACES;
use super::*;
use crate::clock::{Clock, Moment};
use crate::record::{RecordId, Scope, ScopeId};
use crate::store::{
    Guard, HolderId, KeyDigest, LeaseToken, Leasing, Pending, Severity, Sink, Slot, Store, Ttl,
};

pub(super) fn wait<T>(pending: Pending<'_, T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let mut runtime = runtime;
    runtime.build().unwrap().block_on(pending)
}

pub(super) fn key(text: &str) -> StoredKey {
    StoredKey::new(text)
}

/// A record of `length` bytes under a new id.
pub(super) fn record(length: usize) -> Record {
    let mut bytes = vec![7; length.max(20)];
    bytes[4..20].copy_from_slice(&RecordId::random().0);
    Record::from_bytes(Bytes::from(bytes))
}

fn save(store: &DiskStore, text: &str, record: &Record, ttl: Ttl) -> Result<bool, Error> {
    wait(store.save(&key(text), record.clone(), ttl, Guard::Always, &[]))
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
fn what_a_note_has_no_room_for_does_not_go_before_what_was_noted_earlier() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    let long = "k".repeat(layout::MAX_TEXT);
    save(&store, "early", &record(20_000), None).unwrap();
    save(&store, &long, &record(20_000), None).unwrap();
    let is_there = |text: &str| slot(&store, text).record.is_some();
    for number in 0.. {
        assert!(is_there(&long) || !is_there("early"));
        if !is_there(&long) {
            break;
        }
        save(&store, &format!("k{number}"), &record(20_000), None).unwrap();
    }
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
    assert!(wait(store.save(&key("k"), record(100), None, Guard::Lease(token), &[])).unwrap());
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
    for _ in 0..PLACES + 100 {
        save(&store, "k", &record(100), None).unwrap();
    }
    heard.take();
    store.opening.ring.rewind(PLACES);
    assert!(store.trusted());
    assert_eq!(heard.take().len() as u64, PLACES);
    store.opening.ring.rewind(PLACES + 1);
    assert!(store.trusted());
    assert_eq!(heard.take(), ["lost"]);
}

#[test]
fn more_changes_than_a_note_has_room_for_are_told_one_by_one_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    let heard: Arc<Heard> = Arc::default();
    let sink: Arc<dyn Sink> = heard.clone();
    store.subscribe(HolderId::random(), Arc::downgrade(&sink));
    let keys: Vec<_> = (0..100).map(|number| key(&format!("k{number}"))).collect();
    let long = key(&"k".repeat(layout::MAX_TEXT));
    wait(store.delete(&keys)).unwrap();
    save(&store, "short", &record(100), None).unwrap();
    save(&store, long.as_str(), &record(100), None).unwrap();
    let told = heard.take();
    assert_eq!(told.len(), 102);
    store.opening.ring.rewind(3);
    assert!(store.trusted());
    assert_eq!(heard.take(), told);
}

#[test]
fn what_a_killed_writer_has_noted_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    let heard: Arc<Heard> = Arc::default();
    let sink: Arc<dyn Sink> = heard.clone();
    store.subscribe(HolderId::random(), Arc::downgrade(&sink));
    save(&store, "before", &record(100), None).unwrap();
    let opening = &store.opening;
    {
        let _turn = opening.turns.take();
        let mut writing = writing::Writing::begin(opening).unwrap();
        writing.save(&key("lost"), &record(100), None, Guard::Always).unwrap();
        writing.note().unwrap();
        // It ends here, as if it were killed: noted and not committed.
    }
    heard.take();
    store.opening.ring.rewind(1);
    assert!(store.trusted());
    let told = |text: &str| format!("key {}", key(text).digest().0);
    assert_eq!(heard.take(), [told("before")]);
    // A transaction with nothing to tell gets its number.
    let token = LeaseToken::random(HolderId::random());
    wait(store.lease(&key("k"), token, Duration::from_mins(1), None)).unwrap();
    save(&store, "after", &record(100), None).unwrap();
    heard.take();
    store.opening.ring.rewind(2);
    assert!(store.trusted());
    assert_eq!(heard.take(), [told("after")]);
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
        wait(store.save(&key("k"), record(100), None, Guard::Lease(token), &[])).unwrap();
        waiter.join().unwrap().unwrap();
    });
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// How many entries the log has in the tree.
fn logged(store: &DiskStore) -> usize {
    store
        .opening
        .read("count", |snapshot, tree| Ok(log::after(snapshot, tree, 0)?.count()))
        .unwrap()
}

#[test]
fn the_log_stays_small_however_often_a_record_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    for round in 0..5 * PLACES {
        save(&store, &format!("k{}", round % 50), &record(100), None).unwrap();
    }
    let logged = logged(&store);
    assert!(logged <= 3 * 50, "{logged}");
    assert!((0..50).all(|n| slot(&store, &format!("k{n}")).record.is_some()));
}

#[test]
fn the_log_has_every_record_that_is_no_longer_noted_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    for number in 0..3000 {
        save(&store, &format!("k{number}"), &record(100), None).unwrap();
    }
    let logged = logged(&store) as u64;
    assert!((3000 - PLACES..3000).contains(&logged), "{logged}");
}

#[test]
fn the_log_stays_small_when_only_deletions_and_invalidations_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    let kept = usize::try_from(store.opening.kept()).unwrap();
    let scope = [Scope::new("scope")];
    let many: Vec<_> = (0..20).map(|number| key(&format!("k{number}"))).collect();
    for _ in 0..kept / 2 {
        wait(store.delete(&many)).unwrap();
        wait(store.invalidate(&scope, Severity::Hard)).unwrap();
    }
    let logged = logged(&store);
    assert!((kept / 2..3 * kept).contains(&logged), "{logged}");
}

#[test]
fn what_has_ended_is_removed_by_those_who_write_other_records() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Moment::from_micros(1 << 50));
    let store = DiskStore::builder(folder.path()).clock(clock.clone()).open().unwrap();
    let minute = Duration::from_mins(1);
    for number in 0..300 {
        save(&store, &format!("ending{number}"), &record(100), Some(minute)).unwrap();
    }
    clock.advance(2 * minute);
    for number in 0..1000 + PLACES {
        save(&store, &format!("new{number}"), &record(100), None).unwrap();
    }
    let is_there = |number| {
        let text = format!("ending{number}");
        let found = store
            .opening
            .read("look", |snapshot, tree| Ok(reader::entry(snapshot, tree, &text)?.is_some()));
        found.unwrap()
    };
    assert_eq!((0..300).filter(|number| is_there(*number)).count(), 0);
}

#[test]
fn a_short_write_is_done_when_it_is_first_polled_unless_another_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let (first, second) = (key("first"), key("second"));
    let mut saved = store.save(&first, record(100), None, Guard::Always, &[]);
    assert!(saved.as_mut().poll(&mut context).is_ready());
    let turn = store.opening.turns.take();
    let mut queued = store.save(&second, record(100), None, Guard::Always, &[]);
    assert!(queued.as_mut().poll(&mut context).is_pending());
    assert!(slot(&store, "second").record.is_none());
    drop(turn);
    assert!(wait(queued).unwrap());
    assert!(slot(&store, "second").record.is_some());
}

#[test]
fn queued_writes_are_done_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = small(folder.path());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let turn = store.opening.turns.take();
    let text = key("k");
    let (first, second) = (record(100), record(100));
    let mut earlier = store.save(&text, first, None, Guard::Always, &[]);
    assert!(earlier.as_mut().poll(&mut context).is_pending());
    let mut later = store.save(&text, second.clone(), None, Guard::Always, &[]);
    assert!(later.as_mut().poll(&mut context).is_pending());
    drop(turn);
    assert!(wait(later).unwrap() && wait(earlier).unwrap());
    assert_eq!(slot(&store, "k").record, Some(second));
}
