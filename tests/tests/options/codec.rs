//! `codec`: what answers are encoded by.

use std::sync::Arc;

use keyedcache::store::{MemoryStore, Store as _, StoredKey};
use keyedcache::{Cache, Key, cached};
use keyedcache_tests::drive::wait;

#[cached(cache = "o_codec", codec = "json")]
fn json() -> Vec<u64> {
    vec![7]
}

#[cached(cache = "o_codec", codec = "bincode", version = 1)]
fn bincode() -> Vec<u64> {
    vec![7]
}

#[cached(cache = "o_codec", codec = "msgpack")]
fn msgpack() -> Vec<u64> {
    vec![7]
}

#[cached(cache = "o_codec")]
fn without() -> Vec<u64> {
    vec![7]
}

/// The payload that stands under a key.
fn stored(store: &MemoryStore, key: &Key) -> Vec<u8> {
    let keys = [StoredKey::new(format!("keyedcache:1:{key}"))];
    let mut loaded = wait(store.load(&keys, &[])).expect("it is in memory");
    let record = loaded.slots.remove(0).record.expect("it was stored");
    record.open().expect("it was written whole").1.to_vec()
}

#[test]
fn each_function_is_written_by_its_own() {
    let store = Arc::new(MemoryStore::new());
    let cache = Cache::builder().store(store.clone()).build().expect("the defaults");
    cache.register("o_codec").expect("an alias");
    for _ in 0..2 {
        assert!([json(), bincode(), msgpack(), without()].iter().all(|answer| *answer == [7]));
    }
    assert_eq!(stored(&store, &json::key()), b"[7]");
    assert_eq!(stored(&store, &bincode::key()), [1, 7]);
    assert_eq!(stored(&store, &msgpack::key()), [0x91, 7]);
    assert_eq!(stored(&store, &without::key()), stored(&store, &msgpack::key()));
}
