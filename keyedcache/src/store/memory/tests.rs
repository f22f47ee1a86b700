//! What the memory store promises beyond the contract: its bounds, its order of culling, and that
//! nothing piles up. The contract itself is shown by `tests/conformance_memory.rs`.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::*;
use crate::error::{Error, ErrorKind};
use crate::record::Header;

const ROOM: usize = 64 << 10;

/// Room for a few of [`bulky`], in one shard so that the order of culling is that of the saves.
fn small() -> (MemoryStore, Clock) {
    let clock = Clock::manual(Moment::from_micros(1_000_000_000));
    let store = MemoryStore::builder().clock(clock.clone()).max_bytes(ROOM).shards(1);
    (store.build().unwrap(), clock)
}

fn bulky() -> Record {
    Record::new(&Header::new(Moment::from_micros(0)), &[0; 15 << 10]).unwrap()
}

fn key(name: &str) -> StoredKey {
    StoredKey::new(format!("test:1:{name}"))
}

/// All but waiting is done in one poll.
fn now<T>(operation: Pending<'_, T>) -> Result<T, Error> {
    match pin!(operation).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory store waits for nothing"),
    }
}

fn put(store: &MemoryStore, name: &str, ttl: Ttl) {
    assert!(now(store.save(&key(name), bulky(), ttl, Guard::Always, &[])).unwrap());
}

fn holds(store: &MemoryStore, name: &str) -> bool {
    now(store.load(&[key(name)], &[])).unwrap().slots[0].record.is_some()
}

fn held(store: &MemoryStore, names: &[&str]) -> Vec<bool> {
    names.iter().map(|name| holds(store, name)).collect()
}

#[test]
fn full_store_culls_what_was_saved_longest_ago() {
    let (store, _) = small();
    for name in ["a", "b", "c", "d"] {
        put(&store, name, None);
    }
    put(&store, "a", None);
    put(&store, "e", None);
    assert_eq!(held(&store, &["a", "b", "c", "d", "e"]), [true, false, true, true, true]);
}

#[test]
fn full_store_culls_what_has_expired_first() {
    let (store, clock) = small();
    put(&store, "old", None);
    for name in ["b", "c", "d"] {
        put(&store, name, Some(Duration::from_secs(1)));
    }
    clock.advance(Duration::from_secs(2));
    // More room than the places that every write tidies up have taken.
    let as_large_as_three = Record::from_bytes(Bytes::from(vec![0; 45 << 10]));
    assert!(now(store.save(&key("new"), as_large_as_three, None, Guard::Always, &[])).unwrap());
    assert_eq!(held(&store, &["old", "new"]), [true; 2]);
}

#[test]
fn touching_does_not_save_a_record_from_culling() {
    let (store, clock) = small();
    for name in ["a", "b", "c", "d"] {
        put(&store, name, None);
    }
    let seen = now(store.load(&[key("a")], &[])).unwrap().slots[0].record.as_ref().unwrap().id();
    let life = Life { created: clock.now(), fresh_for: None, ttl: None };
    assert!(now(store.touch(&key("a"), seen, life, &[])).unwrap());
    put(&store, "e", None);
    assert!(!holds(&store, "a"));
}

#[test]
fn culling_leaves_leases() {
    let (store, _) = small();
    let token = LeaseToken::random(HolderId::random());
    put(&store, "a", None);
    let seen = now(store.load(&[key("a")], &[])).unwrap().slots[0].record.as_ref().unwrap().id();
    let leasing = now(store.lease(&key("a"), token, Duration::from_secs(9), Some(seen)));
    assert_eq!(leasing.unwrap(), Leasing::Granted);
    for name in ["b", "c", "d", "e"] {
        put(&store, name, None);
    }
    let slot = now(store.load(&[key("a")], &[])).unwrap().slots.remove(0);
    assert_eq!((slot.record, slot.lease), (None, Some(token)));
}

#[test]
fn largest_record_fits_beside_nothing_else() {
    let (store, _) = small();
    put(&store, "a", None);
    let largest = Record::from_bytes(Bytes::from(vec![0; store.max_record]));
    assert!(now(store.save(&key("b"), largest, None, Guard::Always, &[])).unwrap());
    assert_eq!(held(&store, &["a", "b"]), [false, true]);
}

#[test]
fn refused_save_culls_nothing() {
    let (store, _) = small();
    for name in ["a", "b", "c", "d"] {
        put(&store, name, None);
    }
    assert!(!now(store.save(&key("a"), bulky(), None, Guard::Seen(None), &[])).unwrap());
    let too_large = Record::from_bytes(Bytes::from(vec![0; ROOM]));
    let error = now(store.save(&key("e"), too_large, None, Guard::Always, &[])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(held(&store, &["a", "b", "c", "d"]), [true; 4]);
}

#[test]
fn what_ended_does_not_pile_up() {
    let (store, clock) = small();
    for n in 0..1000 {
        let key = key(&n.to_string());
        let token = LeaseToken::random(HolderId::random());
        now(store.lease(&key, token, Duration::from_millis(1), None)).unwrap();
        clock.advance(Duration::from_millis(1));
    }
    assert!(store.shards[0].lock().len() < 10);
}

#[test]
fn everything_deleted_leaves_nothing_behind() {
    let (store, _) = small();
    for name in ["a", "b", "c"] {
        put(&store, name, Some(Duration::from_secs(1)));
    }
    assert_eq!(now(store.delete(&["a", "b", "c"].map(key))).unwrap(), 3);
    assert!(store.shards[0].lock().is_clean());
}

#[test]
fn settings_that_leave_no_room_are_refused() {
    for builder in [
        MemoryStore::builder().shards(0),
        MemoryStore::builder().max_bytes(0),
        MemoryStore::builder().max_bytes(4096).shards(4),
    ] {
        assert_eq!(builder.build().unwrap_err().kind(), ErrorKind::Config);
    }
}

#[test]
fn debug_prints_no_records() {
    let (store, _) = small();
    put(&store, "secret", None);
    assert!(!format!("{store:?}").contains("secret"));
}
