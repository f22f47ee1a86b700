//! Counting: atomic, by the record seen, and nothing else of the record changes.

use keyedcache::ErrorKind;
use keyedcache::record::RecordId;
use keyedcache::store::{Incremented, Slot, StoredKey};

use crate::fixtures::{counter, record};
use crate::{Handle, Subject, Verdict};

/// Sums up and down are answered and stored.
pub fn increments_add_up(subject: &Subject<'_>) -> Verdict {
    let (key, seen) = counting(subject, "sums", 5);
    for (by, sum) in [(1, 6), (10, 16), (-20, -4), (0, -4), (-1, -5), (5, 0)] {
        assert_eq!(subject.increment(&key, seen, by), Incremented::Sum(sum));
        assert_eq!(value(subject.other(), &key), sum);
    }
    Ok(())
}

/// A counter counts as far as an `i64` goes, both ways.
pub fn counters_reach_their_bounds(subject: &Subject<'_>) -> Verdict {
    let (high, seen_high) = counting(subject, "high", i64::MAX - 1);
    let (low, seen_low) = counting(subject, "low", i64::MIN + 1);
    assert_eq!(subject.increment(&high, seen_high, 1), Incremented::Sum(i64::MAX));
    assert_eq!(subject.increment(&low, seen_low, -1), Incremented::Sum(i64::MIN));
    Ok(())
}

/// What does not fit is an error, and the count stays.
pub fn overflow_is_refused_and_leaves_the_count(subject: &Subject<'_>) -> Verdict {
    for (name, count, by) in [("high", i64::MAX - 1, 2), ("low", i64::MIN, -1)] {
        let (key, seen) = counting(subject, name, count);
        let before = subject.load(&key);
        let error = subject.try_increment(&key, seen, by).expect_err("the sum does not fit");
        assert_eq!(error.kind(), ErrorKind::NotACounter);
        assert_eq!(subject.load(&key), before);
        assert_eq!(value(subject, &key), count);
    }
    Ok(())
}

/// A record that is no counter is refused, and stays.
pub fn record_that_is_no_counter_is_refused(subject: &Subject<'_>) -> Verdict {
    let (key, text) = (subject.key("text"), record(b"no number"));
    subject.put(&key, &text);
    let error = subject.try_increment(&key, text.id(), 1).expect_err("it is no counter");
    assert_eq!(error.kind(), ErrorKind::NotACounter);
    assert_eq!(subject.load(&key).record, Some(text));
    Ok(())
}

/// Where another record stands than the one seen, or none, nothing is counted; what stands there is
/// told.
pub fn increment_of_another_record_changes_nothing(subject: &Subject<'_>) -> Verdict {
    let (key, seen) = counting(subject, "another", 5);
    let slot = subject.load(&key);
    let other = counter(0).id();
    assert_eq!(subject.increment(&key, other, 1), Incremented::Changed(slot.clone()));
    assert_eq!(subject.load(&key), slot);
    assert_eq!(subject.delete(std::slice::from_ref(&key)), 1);
    assert_eq!(subject.increment(&key, seen, 1), Incremented::Changed(Slot::default()));
    assert_eq!(subject.load(&key), Slot::default(), "a counter that is gone stays gone");
    Ok(())
}

/// A counter whose time is over is gone.
pub fn increment_of_an_expired_counter_changes_nothing(subject: &Subject<'_>) -> Verdict {
    let (key, count) = (subject.key("expired"), counter(5));
    subject.put_for(&key, &count, Some(subject.short()));
    subject.outlast();
    assert_eq!(subject.increment(&key, count.id(), 1), Incremented::Changed(Slot::default()));
    assert_eq!(subject.load(&key), Slot::default());
    Ok(())
}

/// The record keeps its id, and is what [`Record::incremented`] makes of it.
///
/// [`Record::incremented`]: keyedcache::record::Record::incremented
pub fn increment_keeps_all_else_of_the_record(subject: &Subject<'_>) -> Verdict {
    let (key, count) = (subject.key("kept"), counter(5));
    subject.put(&key, &count);
    subject.increment(&key, count.id(), 37);
    let stored = subject.load(&key).record.expect("it is there");
    assert_eq!(stored.id(), count.id());
    assert_eq!(stored, count.incremented(37).expect("a counter"));
    Ok(())
}

/// Counting takes no lease away.
pub fn increment_leaves_the_lease(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, seen) = counting(subject, "leased", 5);
    let token = subject.leased(&key);
    assert_eq!(subject.increment(&key, seen, 1), Incremented::Sum(6));
    assert_eq!(subject.load(&key).lease, Some(token));
    Ok(())
}

/// Counting neither prolongs a counter's life...
pub fn increment_does_not_prolong(subject: &Subject<'_>) -> Verdict {
    let key = subject.promptly(|attempt| {
        let (key, count) = (subject.key(&format!("mortal::{attempt}")), counter(0));
        subject.put_for(&key, &count, Some(subject.short()));
        subject.increment(&key, count.id(), 1);
        key
    });
    subject.outlast();
    assert_eq!(subject.load(&key), Slot::default());
    Ok(())
}

/// ...nor ends one that is for ever.
pub fn increment_does_not_end_a_counter_kept_for_ever(subject: &Subject<'_>) -> Verdict {
    let (key, seen) = counting(subject, "immortal", 0);
    subject.increment(&key, seen, 1);
    subject.outlast();
    assert_eq!(value(subject, &key), 1);
    Ok(())
}

/// Of any number of simultaneous increments of one counter, all take place, each with a sum of its
/// own.
pub fn simultaneous_increments_all_count(subject: &Subject<'_>) -> Verdict {
    const EACH: usize = 50;
    let (key, seen) = counting(subject, "busy", 0);
    let sums = subject.contest(8, |_, handle| {
        let sum = |_| match handle.increment(&key, seen, 1) {
            Incremented::Sum(sum) => sum,
            other => panic!("the record is never replaced, but: {other:?}"),
        };
        (0..EACH).map(sum).collect::<Vec<_>>()
    });
    for own in &sums {
        assert!(own.is_sorted(), "each sees its own sums grow");
    }
    let mut sums: Vec<_> = sums.into_iter().flatten().collect();
    sums.sort_unstable();
    let all: Vec<_> = (1..).take(8 * EACH).collect();
    assert_eq!(sums, all);
    assert_eq!(value(subject, &key), *all.last().expect("there are many"));
    Ok(())
}

fn counting(subject: &Subject<'_>, name: &str, count: i64) -> (StoredKey, RecordId) {
    let (key, record) = (subject.key(name), counter(count));
    subject.put(&key, &record);
    (key, record.id())
}

/// What the counter counts: records are opaque, so it is asked by adding nothing.
fn value(handle: &Handle, key: &StoredKey) -> i64 {
    let seen = handle.id(key).expect("the counter is there");
    match handle.increment(key, seen, 0) {
        Incremented::Sum(sum) => sum,
        other => panic!("nobody else counts now, but: {other:?}"),
    }
}
