use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use super::readers::BATCH;
use super::*;

/// An entry that counts its uses.
struct Counted<E>(E, Uses);

impl<E> Used for Counted<E> {
    fn uses(&self) -> &Uses {
        &self.1
    }
}

fn entries<E: Send + Sync + 'static>(capacity: usize) -> Entries<Counted<E>> {
    Entries::new(capacity)
}

fn get<E: Clone + Send + Sync + 'static>(entries: &Entries<Counted<E>>, key: u64) -> Option<E> {
    entries.get(entries.hash_of(&key), |_| true, |Counted(entry, _)| entry.clone())
}

fn insert<E: Send + Sync + 'static>(entries: &Entries<Counted<E>>, key: u64, entry: E) {
    entries.insert(entries.hash_of(&key), Counted(entry, Uses::default()));
}

fn held<E>(entries: &Entries<Counted<E>>, keys: impl IntoIterator<Item = u64>) -> usize
where
    E: Send + Sync + 'static,
{
    let is_held = |key: &u64| entries.get(entries.hash_of(key), |_| true, |_| ()).is_some();
    keys.into_iter().filter(is_held).count()
}

#[test]
fn as_many_are_kept_as_there_is_room_for() {
    for capacity in [1, 2, 3, 10, 100, 1_000] {
        let entries = entries(capacity);
        for key in 0..10 * capacity as u64 {
            insert(&entries, key, key);
            assert_eq!(get(&entries, key), Some(key), "the newest of {capacity}");
        }
        assert_eq!(held(&entries, 0..10 * capacity as u64), capacity);
    }
}

#[test]
fn a_second_entry_of_a_key_takes_the_place_of_the_first() {
    let entries = entries(3);
    for round in 0..100 {
        for key in 0..3 {
            insert(&entries, key, round);
        }
        assert_eq!([0, 1, 2].map(|key| get(&entries, key)), [Some(round); 3]);
    }
}

#[test]
fn what_is_used_outlives_a_scan() {
    let entries = entries(100);
    let used = 0..50;
    for key in used.clone() {
        insert(&entries, key, key);
    }
    for _ in 0..3 {
        assert_eq!(held(&entries, used.clone()), 50);
    }
    for key in 1_000..100_000 {
        insert(&entries, key, key);
    }
    assert_eq!(held(&entries, used), 50);
}

#[test]
fn what_is_used_no_more_makes_room_for_what_is() {
    let entries = entries(100);
    for generation in 0..10 {
        let keys = generation * 1_000..generation * 1_000 + 90;
        for _ in 0..40 {
            for key in keys.clone() {
                if get(&entries, key).is_none() {
                    insert(&entries, key, key);
                }
            }
        }
        // Two hashes may share a ghost's place. Without ghosts there would be the small queue's eleven.
        assert!(held(&entries, keys) >= 40, "generation {generation}");
    }
}

#[test]
fn what_is_used_makes_room_whichever_bits_tell_the_hashes_apart() {
    for shift in [0, 7, 20, 40, 56] {
        let entries = entries(100);
        (1_000..1_100).for_each(|key| insert(&entries, key, key));
        (0..3).for_each(|_| assert_eq!(held(&entries, 1_000..1_100), 100)); // so that they leave no room
        let hashes = || (1..=90).map(|number: u64| number << shift);
        let is_held = |hash: &u64| entries.get(*hash, |_| true, |_| ()).is_some();
        for _ in 0..40 {
            hashes().filter(|hash| !is_held(hash)).for_each(|hash| {
                entries.insert(hash, Counted(hash, Uses::default()));
            });
        }
        assert!(hashes().filter(is_held).count() >= 40, "from bit {shift} on");
    }
}

#[test]
fn what_is_made_anew_is_as_useful_as_it_was() {
    let entries = entries(100);
    insert(&entries, 0, 1);
    held(&entries, [0, 0, 0]);
    insert(&entries, 0, 2); // as a refresh does
    for key in 1_000..1_150 {
        insert(&entries, key, 1);
    }
    assert_eq!(get(&entries, 0), Some(2));
}

#[test]
fn entries_that_are_not_to_be_served_are_not_in_use() {
    let entries = entries(100);
    for key in 0..100 {
        insert(&entries, key, key);
    }
    for _ in 0..10 {
        for key in 0..100 {
            assert_eq!(entries.get(entries.hash_of(&key), |_| false, |_| ()), None);
        }
    }
    for key in 1_000..1_200 {
        insert(&entries, key, key);
    }
    assert_eq!(held(&entries, 0..100), 0);
}

/// Whether it comes true: what others read at this moment is freed when they have ended.
fn comes_true(is_true: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_true() && Instant::now() < deadline {
        thread::yield_now();
    }
    is_true()
}

/// Counts itself while it lives.
#[derive(Clone)]
struct Alive(#[allow(dead_code)] Arc<()>); // it is counted

#[test]
fn what_was_evicted_is_dropped_at_once_if_there_are_few_and_some_dozens_later_if_there_are_many() {
    for (capacity, later) in [(10, 1), (1_000, 2 * BATCH)] {
        let entries = entries(capacity);
        let alive = Arc::new(());
        for key in 0..10_000 {
            insert(&entries, key, Alive(Arc::clone(&alive)));
            assert!(comes_true(|| Arc::strong_count(&alive) <= 1 + capacity + later));
        }
        drop(entries);
        assert!(comes_true(|| Arc::strong_count(&alive) == 1));
    }
}

#[test]
fn what_was_replaced_is_dropped_at_once_and_of_few_what_was_evicted() {
    let entries = entries(2);
    let mut weak = Vec::new();
    for key in [1, 1, 2, 3] {
        let value = Arc::new(());
        weak.push(Arc::downgrade(&value));
        insert(&entries, key, value);
    }
    let kept = || weak.iter().filter(|value| value.strong_count() > 0).count();
    assert!(comes_true(|| kept() == 2), "no more than there is room for");
    assert_eq!(weak[0].strong_count(), 0, "replaced");
}

#[test]
fn fewer_are_held_from_then_on_if_so_told() {
    let entries = entries(100);
    (0..100).for_each(|key| insert(&entries, key, key));
    entries.hold(10);
    assert_eq!(held(&entries, 0..100), 10);
    (100..200).for_each(|key| insert(&entries, key, key));
    assert_eq!(held(&entries, 0..200), 10);
    entries.hold(50);
    (200..300).for_each(|key| insert(&entries, key, key));
    assert_eq!(held(&entries, 0..300), 50);
}

#[test]
fn a_value_may_ask_for_more_while_it_is_dropped() {
    struct Asks(Arc<Entries<Counted<Asks>>>, Arc<AtomicUsize>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let key = 1_000 + self.1.fetch_add(1, Ordering::Relaxed) as u64;
            if key < 3_000 {
                insert(&self.0, key, Asks(Arc::clone(&self.0), Arc::clone(&self.1)));
            }
        }
    }
    let (entries, dropped) = (Arc::new(entries(4)), Arc::new(AtomicUsize::new(0)));
    for key in 0..200 {
        insert(&entries, key, Asks(Arc::clone(&entries), Arc::clone(&dropped)));
    }
    assert!(dropped.load(Ordering::Relaxed) > 100);
}

#[test]
fn threads_that_read_and_write_at_once_see_whole_entries() {
    const CAPACITY: u64 = 64;
    let entries = entries(64);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = HashSet::new();
                    while !over.load(Ordering::Relaxed) {
                        for key in 0..4 * CAPACITY {
                            if let Some(entry) = get::<Arc<[u64]>>(&entries, key) {
                                assert!(entry.iter().all(|number| *number == entry[0]));
                                // It may be another's that has just taken its place.
                                seen.extend((entry[0] == key).then_some(key));
                            }
                        }
                    }
                    seen.len()
                })
            })
            .collect();
        for round in 0..300 {
            for key in 0..4 * CAPACITY {
                insert(&entries, (key * 7 + round) % (4 * CAPACITY), {
                    let key = (key * 7 + round) % (4 * CAPACITY);
                    vec![key; 9].into()
                });
            }
        }
        over.store(true, Ordering::Relaxed);
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
    });
    assert_eq!(held(&entries, 0..4 * CAPACITY), 64);
}

/// Vouches for everything.
struct Certain;

impl Vouch for Certain {
    fn vouch(&self, _: Asks, _: Moment, _: Moment) -> bool {
        true
    }
}

fn noted(epoch: &Epoch) -> (Noted, &Epoch) {
    (Noted::now(epoch.note(), KeyDigest(7)), epoch)
}

fn put(near: &Near, key: u64, noted: (Noted, &Epoch), voucher: Option<&Arc<dyn Vouch>>) {
    let arguments = (key, ());
    let hash = near.hash(&arguments);
    let voucher = voucher.map(|voucher| (voucher, Asks::Trust));
    near.put(hash, kept(arguments, key), Moment::NEVER, noted, voucher);
}

fn read(near: &Near, key: u64, epoch: &Epoch) -> Option<u64> {
    near.get(&(key, ()), epoch, || ())
}

#[test]
fn the_entry_of_another_key_of_the_same_hash_is_not_served() {
    let (near, epoch) = (Near::new(10), Epoch::new());
    let hash = near.hash(&(1_u64, ()));
    near.put(hash, kept((2_u64, ()), 2_u64), Moment::NEVER, noted(&epoch), None);
    assert_eq!(read(&near, 1, &epoch), None);
    put(&near, 1, noted(&epoch), None); // takes its place
    assert_eq!(read(&near, 1, &epoch), Some(1));
}

#[test]
fn arguments_and_values_of_any_size_and_type_are_kept_side_by_side() {
    fn kept_and_read<I, V>(near: &Near, epoch: &Epoch, arguments: &I, value: V)
    where
        I: KeyParts<Identities = I> + Send + Sync + 'static,
        V: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static,
    {
        let hash = near.hash(arguments);
        let pair = kept(arguments.identities(), value.clone());
        near.put(hash, pair, Moment::NEVER, noted(epoch), None);
        assert_eq!(near.get(arguments, epoch, || ()), Some(value));
        assert!(near.get::<I, Alive>(arguments, epoch, || ()).is_none(), "it is of another type");
    }
    let (near, epoch) = (Near::new(100), Epoch::new());
    kept_and_read(&near, &epoch, &(1_u8, ()), ());
    kept_and_read(&near, &epoch, &(2_u8, ()), 2_u128);
    kept_and_read(&near, &epoch, &(3_u128, ()), "three".to_owned());
    kept_and_read(&near, &epoch, &(4_u64, (4_u64, ())), [4_u64; 100]);
    let text: Box<str> = "five".into();
    kept_and_read(&near, &epoch, &(5_u64, (6_u64, ())), (text, vec![1, 2, 3], 7_u8));
}

#[test]
fn an_entry_that_asks_is_served_while_it_is_vouched_for() {
    let (near, epoch) = (Near::new(10), Epoch::new());
    let voucher: Arc<dyn Vouch> = Arc::new(Certain);
    put(&near, 1, noted(&epoch), Some(&voucher));
    put(&near, 2, noted(&epoch), None);
    assert_eq!([1, 2].map(|key| read(&near, key, &epoch)), [Some(1), Some(2)]);
    near.forget_voucher();
    assert_eq!([1, 2].map(|key| read(&near, key, &epoch)), [None, Some(2)]);
    put(&near, 3, noted(&epoch), Some(&voucher));
    assert_eq!([1, 3].map(|key| read(&near, key, &epoch)), [Some(1), Some(3)]);
    epoch.bump();
    assert_eq!([1, 2, 3].map(|key| read(&near, key, &epoch)), [None; 3]);
}

#[test]
fn nobody_vouches_for_what_another_put() {
    let (near, epoch) = (Near::new(10), Epoch::new());
    let [first, second]: [Arc<dyn Vouch>; 2] = [Arc::new(Certain), Arc::new(Certain)];
    put(&near, 1, noted(&epoch), Some(&first));
    put(&near, 2, noted(&epoch), Some(&second)); // the first is not forgotten yet
    assert_eq!([1, 2].map(|key| read(&near, key, &epoch)), [Some(1), None]);
    epoch.bump();
    near.forget_voucher();
    put(&near, 3, noted(&epoch), Some(&second));
    assert_eq!([1, 2, 3].map(|key| read(&near, key, &epoch)), [None, None, Some(3)]);
}

#[test]
fn a_voucher_that_is_forgotten_is_dropped_while_others_read() {
    let (near, epoch) = (Near::new(10), Epoch::new());
    let mut left_alive = 0;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    read(&near, 1, &epoch);
                }
            });
        }
        for _ in 0..100 {
            let voucher: Arc<dyn Vouch> = Arc::new(Certain);
            let alive = Arc::downgrade(&voucher);
            put(&near, 1, noted(&epoch), Some(&voucher));
            drop(voucher);
            assert!(alive.upgrade().is_some());
            epoch.bump();
            near.forget_voucher();
            if !comes_true(|| alive.strong_count() == 0) {
                left_alive = alive.strong_count();
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(left_alive, 0);
}

#[test]
fn a_voucher_that_comes_after_it_was_forgotten_does_not_stay() {
    let (near, epoch) = (Near::new(10), Epoch::new());
    let both = Barrier::new(2);
    for _ in 0..2_000 {
        let voucher: Arc<dyn Vouch> = Arc::new(Certain);
        let noted = noted(&epoch);
        thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                put(&near, 1, noted, Some(&voucher));
            });
            both.wait();
            epoch.bump();
            near.forget_voucher();
        });
        let next: Arc<dyn Vouch> = Arc::new(Certain);
        assert!(near.offer(&next), "another one stayed");
        near.forget_voucher();
    }
}

#[test]
fn threads_hit_while_they_end() {
    static ENTRIES: std::sync::OnceLock<Entries<Counted<u64>>> = std::sync::OnceLock::new();
    static HITS: AtomicUsize = AtomicUsize::new(0);
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            let entries = ENTRIES.get().unwrap();
            HITS.fetch_add(held(entries, [1]), Ordering::Relaxed);
            insert(entries, 1, 1);
        }
    }
    thread_local!(static LAST: Last = const { Last });
    insert(ENTRIES.get_or_init(|| entries(10)), 1, 1);
    for _ in 0..3 {
        thread::spawn(|| {
            LAST.with(|_| ()); // before the map knows this thread, so that it is dropped after that
            held(ENTRIES.get().unwrap(), [1]);
        })
        .join()
        .unwrap();
    }
    // Of the map that a thread reads no more, it is told nothing.
    assert_eq!(HITS.load(Ordering::Relaxed), 0);
}
