//! Records that are corrupt, cut off, or not ours, under a function's key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyedcache::record::{CodecId, CompressorId, Fingerprint, Header, Record};
use keyedcache::store::{DiskStore, Guard, MemoryStore, Store, StoredKey};
use keyedcache::{Cache, NotCachedReason, cache_key, cached};
use keyedcache_tests::drive::block_on;
use keyedcache_tests::faulty::{Faulty, Operation};

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cached(timeout = 60, cache = "planted", name = "answer")]
fn answer(x: u32) -> String {
    RUNS.fetch_add(1, Ordering::SeqCst);
    format!("the answer to {x}")
}

fn stored() -> StoredKey {
    StoredKey::new("keyedcache:1:answer::7")
}

fn record_in(store: &dyn Store) -> Option<Record> {
    block_on(store.load(&[stored()], &[])).unwrap().slots[0].record.clone()
}

fn plant(store: &dyn Store, record: Record) {
    assert!(block_on(store.save(&stored(), record, None, Guard::Always, &[])).unwrap());
}

fn rubbish(bytes: &[u8]) -> Record {
    Record::from_bytes(bytes.to_vec().into())
}

/// What may stand in a sound record's place: its name, the record, and whether it is unreadable, not
/// only of another program.
fn planted(sound: &Record) -> Vec<(String, Record, bool)> {
    let bytes = sound.bytes();
    let mut planted = vec![
        ("nothing at all".to_owned(), rubbish(b""), true),
        ("text".to_owned(), rubbish(b"{\"value\": 3, \"expires\": 12345678}"), true),
        ("zeros".to_owned(), rubbish(&[0; 200]), true),
    ];
    for end in (0..bytes.len()).step_by(13).chain([bytes.len() - 1]) {
        planted.push((format!("the first {end} bytes"), rubbish(&bytes[..end]), true));
    }
    for place in (0..bytes.len()).step_by(7).chain([0, 3, 20, 21, bytes.len() - 1]) {
        let mut damaged = bytes.to_vec();
        damaged[place] ^= 0x41;
        planted.push((format!("byte {place} changed"), rubbish(&damaged), true));
    }
    planted.push(("one byte more".to_owned(), rubbish(&[bytes, &b"x"[..]].concat()), true));
    let (header, payload) = sound.open().unwrap();
    let sealed = |change: &dyn Fn(&mut Header), payload: &[u8]| {
        let mut header = header.clone();
        change(&mut header);
        Record::new(&header, payload).unwrap()
    };
    let foreign = [
        ("an unknown codec", sealed(&|header| header.codec = CodecId(200), &payload), true),
        (
            "an unknown compressor",
            sealed(&|header| header.compressor = CompressorId(200), &payload),
            true,
        ),
        (
            "what is not compressed",
            sealed(&|header| header.compressor = CompressorId::ZSTD, &payload),
            true,
        ),
        ("a payload that is none", sealed(&|_| (), &[0xc1; 9]), true),
        ("an empty payload", sealed(&|_| (), b""), true),
        ("a counter", Record::counter(header.clone(), 3).unwrap(), true),
        ("another codec's id", sealed(&|header| header.codec = CodecId::JSON, &payload), true),
        (
            "another signature",
            sealed(&|header| header.fingerprint = Fingerprint::of("other"), &payload),
            false,
        ),
        (
            "no stamp",
            sealed(&|header| header.stamp = keyedcache::record::Stamp::default(), &payload),
            false,
        ),
    ];
    planted.extend(foreign.map(|(name, record, unreadable)| (name.to_owned(), record, unreadable)));
    planted
}

#[test]
fn whatever_stands_under_its_key_a_function_answers_and_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn Store>; 2] =
        [Arc::new(MemoryStore::new()), Arc::new(DiskStore::open(folder.path()).unwrap())];
    for store in stores {
        let build = || Cache::builder().store(Arc::clone(&store)).build().unwrap();
        build().register("planted").unwrap();
        assert_eq!(answer(7), "the answer to 7");
        let sound = record_in(&*store).expect("it was stored");
        for (what, record, unreadable) in planted(&sound) {
            plant(&*store, record.clone());
            let cache = build();
            cache.register("planted").unwrap();
            let before = RUNS.load(Ordering::SeqCst);
            let missed = answer::peek(7).wait().unwrap_err();
            if unreadable {
                assert_eq!(missed.reason, NotCachedReason::Undecodable, "{what}");
                assert!(cache.stats().undecodable > 0, "{what}");
                assert_eq!(record_in(&*store), Some(record), "{what}: a reader changed it");
            }
            assert_eq!(answer(7), "the answer to 7", "{what}");
            assert_eq!(RUNS.load(Ordering::SeqCst), before + 1, "{what}");
            assert_eq!(cache.stats().saved, 1, "{what}");
            let now = record_in(&*store).expect("what was computed is stored");
            assert!(now.open().is_ok(), "{what}");
            assert_eq!(build().stats().undecodable, 0);
        }
    }
}

#[test]
fn one_who_found_rubbish_never_replaces_a_newer_record() {
    let store = Faulty::new(Arc::new(MemoryStore::new()));
    let build = || Cache::builder().store(Arc::clone(&store) as Arc<dyn Store>).build().unwrap();
    let (cache, other) = (build(), build());
    for between in [Operation::Lease, Operation::Save] {
        cache.set(cache_key!("a"), &1).wait().unwrap();
        let key = StoredKey::new("keyedcache:1:a");
        let rubbish = rubbish(b"not a record of ours, but long enough");
        assert!(block_on(store.save(&key, rubbish, None, Guard::Always, &[])).unwrap());
        let newer = other.clone();
        store.interrupt(between, move || newer.set(cache_key!("a"), &2).wait().unwrap());
        let got = cache.get_or_set(cache_key!("a")).compute(async || 3).wait();
        assert!(got == 2 || got == 3);
        assert_eq!(build().get::<i32>(cache_key!("a")).wait().ok(), Some(2), "{between:?}");
    }
    for act in [
        (|cache: &Cache| assert!(!cache.add(cache_key!("a"), &3).wait().unwrap())) as fn(&Cache),
        |cache| assert_eq!(cache.increment(cache_key!("a"), 1).starting_at(8).wait().unwrap(), 3),
    ] {
        let key = StoredKey::new("keyedcache:1:a");
        let save = store.save(&key, rubbish(b"rubbish"), None, Guard::Always, &[]);
        assert!(block_on(save).unwrap());
        let newer = other.clone();
        store.interrupt(Operation::Save, move || newer.set(cache_key!("a"), &2).wait().unwrap());
        // The interruption itself saves, so it must be due only once.
        act(&cache);
        let now = build().get::<i32>(cache_key!("a")).wait().unwrap();
        assert!(now == 2 || now == 3, "{now}");
    }
}

#[test]
fn rubbish_under_a_values_key_is_a_miss_for_every_operation() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let cache = Cache::builder().store(Arc::clone(&store)).build().unwrap();
    let key = || cache_key!("a");
    let plant = || {
        let rubbish = rubbish(b"not a record of ours, but long enough");
        let key = StoredKey::new("keyedcache:1:a");
        assert!(block_on(store.save(&key, rubbish, None, Guard::Always, &[])).unwrap());
    };
    plant();
    assert_eq!(cache.get::<i32>(key()).wait().unwrap_err().reason, NotCachedReason::Undecodable);
    assert!(!cache.contains(key()).wait());
    assert!(cache.get_many::<i32>([key()]).wait().is_empty());
    assert!(!cache.touch(key(), 5).wait().unwrap());
    assert_eq!(cache.ttl(key()).wait().unwrap(), keyedcache::CacheTtl::NoKey);
    assert!(cache.increment(key(), 1).wait().is_err());
    assert_eq!(cache.increment(key(), 1).starting_at(0).wait().unwrap(), 1);
    plant();
    assert!(cache.add(key(), &2).wait().unwrap());
    plant();
    cache.set(key(), &3).wait().unwrap();
    assert_eq!(cache.get::<i32>(key()).wait().ok(), Some(3));
    plant();
    assert_eq!(cache.delete(key()).wait().unwrap(), 1);
}
