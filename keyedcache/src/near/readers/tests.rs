use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// A place with a value, and what tells whether that lives.
fn place() -> (Place<Arc<()>>, impl Fn() -> bool) {
    let value = Arc::new(());
    let alive = Arc::downgrade(&value);
    let place = Place::empty();
    assert!(place.offer(Box::new(value)));
    (place, move || alive.strong_count() > 0)
}

/// Whether it is freed, though tests of other threads may be reading.
fn is_freed(is_alive: &impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_alive() && Instant::now() < deadline {
        retire(None, true);
        thread::yield_now();
    }
    !is_alive()
}

#[test]
fn what_nobody_reads_is_freed_at_once() {
    let (place, is_alive) = place();
    retire(place.take(), true);
    assert!(is_freed(&is_alive));
}

#[test]
fn what_somebody_reads_is_freed_when_the_last_of_them_has_ended() {
    let (place, is_alive) = place();
    let (begun, both_begun) = channel();
    let [first, second] = [Barrier::new(2), Barrier::new(2)];
    thread::scope(|scope| {
        for end in [&first, &second] {
            let (place, begun) = (&place, begun.clone());
            scope.spawn(move || {
                let reading = Reading::begin().unwrap();
                let value = place.get(&reading).unwrap();
                begun.send(()).unwrap();
                end.wait();
                assert_eq!(Arc::strong_count(value), 1);
                drop(reading);
                end.wait();
            });
        }
        both_begun.iter().take(2).for_each(drop);
        retire(place.take(), true);
        assert!(is_alive());
        first.wait();
        first.wait();
        retire(None, true);
        assert!(is_alive(), "one of them has ended");
        second.wait();
        second.wait();
        // By the reader: nothing is retired any more.
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_alive() && Instant::now() < deadline {
            thread::yield_now();
        }
        assert!(!is_alive());
    });
}

#[test]
fn a_reader_within_another_ends_nothing() {
    let (place, is_alive) = place();
    let outer = Reading::begin().unwrap();
    let value = place.get(&outer).unwrap();
    drop(Reading::begin());
    retire(place.take(), true);
    drop(Reading::begin());
    assert_eq!(Arc::strong_count(value), 1);
    assert!(is_alive());
    drop(outer);
    assert!(is_freed(&is_alive));
}

#[test]
fn seats_of_threads_that_have_ended_are_had_by_others() {
    let seat = || thread::spawn(|| ptr::from_ref(Seat::mine().unwrap()).addr()).join().unwrap();
    let seats: std::collections::HashSet<_> = (0..1_000).map(|_| seat()).collect();
    assert!(seats.len() < 100, "{}", seats.len());
}

#[test]
fn what_a_destructor_takes_out_is_freed_with_it() {
    struct Retires(Place<Arc<()>>);
    impl Drop for Retires {
        fn drop(&mut self) {
            retire(self.0.take(), true);
        }
    }
    let (inner, is_alive) = place();
    let outer = Place::empty();
    assert!(outer.offer(Box::new(Retires(inner))));
    retire(outer.take(), true);
    // Nothing is retired any more.
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_alive() && Instant::now() < deadline {
        thread::yield_now();
    }
    assert!(!is_alive());
}
