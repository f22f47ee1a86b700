//! Where things fall, what is asked of whom, and what a list of shards must be. The contract itself
//! is shown by `tests/conformance_sharded.rs`, shards that fail by `tests/behavior_sharded.rs`.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::together::together;
use super::*;
use crate::clock::{Clock, Moment};
use crate::error::ErrorKind;
use crate::record::{Record, Scope};
use crate::store::broken::BrokenStore;
use crate::store::{Guard, MemoryStore, NullStore, Pending, StoredKey};

/// Enough that one part in a hundred is far more than chance moves.
const MANY: usize = 40_000;

fn sharded(names: &[&str]) -> ShardedStore {
    let shard = |list: ShardedStoreBuilder, name: &&str| list.shard(name, memory());
    names.iter().fold(ShardedStore::builder(), shard).build().unwrap()
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn texts() -> impl Iterator<Item = String> {
    (0..MANY).map(|n| format!("shop:1:product::{n}"))
}

/// The part of all texts for which this holds.
fn part(holds: impl Fn(&str) -> bool) -> f64 {
    let many = texts().filter(|text| holds(text)).count();
    f64::from(u32::try_from(many).unwrap()) / f64::from(u32::try_from(MANY).unwrap())
}

/// Memory stores answer within one poll.
fn now<T>(operation: Pending<'_, T>) -> Result<T, Error> {
    match pin!(operation).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory store waits for nothing"),
    }
}

#[test]
fn every_shard_gets_its_even_part() {
    let store = sharded(&["a", "b", "c", "d"]);
    for shard in store.shards() {
        let part = part(|text| store.shard_of(text) == shard);
        assert!((0.24..0.26).contains(&part), "{shard} has {part}");
    }
}

#[test]
fn a_shard_more_takes_its_part_of_the_keys_and_moves_no_others() {
    let names = ["redis://a", "redis://b", "redis://c", "redis://d", "redis://e"];
    for (before, expected) in [(3, 0.25), (4, 0.20)] {
        let (fewer, more) = (sharded(&names[..before]), sharded(&names[..=before]));
        let moved = part(|text| fewer.shard_of(text) != more.shard_of(text));
        assert!((moved - expected).abs() < 0.01, "{moved} instead of {expected}");
        for text in texts().filter(|text| fewer.shard_of(text) != more.shard_of(text)) {
            assert_eq!(more.shard_of(&text), names[before], "only the new one takes any");
        }
    }
}

#[test]
fn what_a_lost_shard_had_is_divided_evenly_among_the_others() {
    let (more, fewer) = (sharded(&["a", "b", "c", "d"]), sharded(&["a", "b", "c"]));
    for heir in fewer.shards() {
        let part = part(|text| more.shard_of(text) == "d" && fewer.shard_of(text) == heir);
        assert!((0.073..0.093).contains(&part), "{heir} inherits {part}");
    }
}

#[test]
fn the_order_of_the_list_does_not_matter() {
    let (one, other) = (sharded(&["a", "b", "c"]), sharded(&["c", "a", "b"]));
    assert_eq!(one.name(), other.name());
    assert_eq!(part(|text| one.shard_of(text) == other.shard_of(text)).to_bits(), 1_f64.to_bits());
}

#[test]
fn places_are_those_of_every_version() {
    let store = sharded(&["redis://10.0.0.1:6379/0", "redis://10.0.0.2:6379/0", "disk:/var/c"]);
    let names: BTreeMap<_, _> = store.shards().zip(["disk", "first", "second"]).collect();
    let places: Vec<_> = (0..12).map(|n| names[store.shard_of(&format!("k{n}"))]).collect();
    let golden = "second disk second second second disk second first disk second disk first";
    assert_eq!(places.join(" "), golden);
}

#[test]
fn a_key_and_a_scope_of_one_text_are_where_that_text_falls() {
    let names = ["a", "b", "c"];
    let stores = names.map(|_| memory());
    let list = names
        .iter()
        .zip(&stores)
        .fold(ShardedStore::builder(), |list, (name, store)| list.shard(name, Arc::clone(store)));
    let sharded = list.build().unwrap();
    for text in texts().take(50) {
        let (key, scope) = (StoredKey::new(text.as_str()), Scope::new(text.as_str()));
        let record = Record::from_bytes(Bytes::from(text.clone()));
        assert!(now(sharded.save(&key, record, None, Guard::Always, &[])).unwrap());
        now(sharded.generations(std::slice::from_ref(&scope))).unwrap();
        for (name, store) in names.iter().zip(&stores) {
            let keys = std::slice::from_ref(&key);
            let found = now(store.load(keys, std::slice::from_ref(&scope))).unwrap();
            let is_here = sharded.shard_of(&text) == *name;
            assert_eq!(found.slots[0].record.is_some(), is_here);
            assert_eq!(found.generations[0].is_some(), is_here);
        }
    }
}

#[test]
fn a_list_must_have_shards_of_different_names_that_store_something() {
    let twice = ShardedStore::new([memory(), memory()]);
    let null = ShardedStore::new([memory(), Arc::new(NullStore::new()) as _]);
    for (list, named) in [(ShardedStore::new([]), ""), (twice, "memory"), (null, "null")] {
        let error = list.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn it_can_what_all_can_and_takes_what_all_take() {
    let small = || Arc::new(MemoryStore::builder().max_bytes(64 << 10).build().unwrap());
    let (small, large) = (small() as Arc<dyn Store>, memory());
    let store = ShardedStore::builder().shard("small", Arc::clone(&small)).shard("large", large);
    assert_eq!(store.build().unwrap().capabilities(), small.capabilities());
}

#[test]
fn trust_takes_all_shards() {
    let broken = || {
        let error = Error::new(ErrorKind::Config, "open", "the test broke it");
        Arc::new(BrokenStore::new(&error)) as Arc<dyn Store>
    };
    for (a, b, trusted) in [(memory(), memory(), true), (memory(), broken(), false)] {
        for (first, second) in [(&a, &b), (&b, &a)] {
            let list = ShardedStore::builder();
            let list = list.shard("a", Arc::clone(first)).shard("b", Arc::clone(second));
            assert_eq!(list.build().unwrap().trusted(), trusted);
        }
    }
}

#[test]
fn time_is_that_of_the_shard_whose_name_sorts_first() {
    let at = |micros| {
        let clock = Clock::manual(Moment::from_micros(micros));
        Arc::new(MemoryStore::builder().clock(clock).build().unwrap()) as Arc<dyn Store>
    };
    let store = ShardedStore::builder().shard("b", at(1)).shard("a", at(2)).shard("c", at(3));
    assert_eq!(store.build().unwrap().now(), Moment::from_micros(2));
}

#[test]
fn a_page_of_other_shards_is_refused() {
    let page = now(sharded(&["a", "b"]).scan("", None, 10)).unwrap();
    let next = page.next.expect("the second shard is to come");
    assert!(now(sharded(&["a", "b"]).scan("", Some(&next), 10)).unwrap().next.is_none());
    for page in [&next, "", "rubbish", ":", "-1:x"] {
        let error = now(sharded(&["a", "c"]).scan("", Some(page), 10)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{page}");
    }
}

/// Answers at the second poll.
struct Second(bool);

impl Future for Second {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut self.0, true) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

#[test]
fn all_are_asked_before_any_has_answered_and_done_in_spite_of_one_that_failed() {
    let shards = ["a", "b", "c"].map(|name| Shard::new(name, memory()));
    let failing = || Box::pin(async { Err(Error::new(ErrorKind::Unavailable, "test", "down")) });
    let work: [Pending<'_, ()>; 3] = [failing(), Box::pin(Second(false)), Box::pin(Second(false))];
    let mut all = pin!(together(shards.iter().zip(work)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(all.as_mut().poll(&mut context).is_pending());
    let Poll::Ready(answer) = all.as_mut().poll(&mut context) else {
        panic!("a second poll of all is enough if the first began all");
    };
    let error = answer.unwrap_err().to_string();
    assert_eq!(error, "cannot test: down (shard a, done by 2 of 3 shards asked)");
}
