//! How long records are kept, and how touching them changes that.

use std::time::Duration;

use keyedcache::store::{Guard, HolderId, LeaseToken, Slot};

use crate::fixtures::record;
use crate::subject::HOUR;
use crate::{Subject, Verdict};

/// A record is gone once its time is over; others stay.
pub fn record_ends_with_its_time(subject: &Subject<'_>) -> Verdict {
    let (brief, long, ever) = (subject.key("brief"), subject.key("long"), subject.key("ever"));
    subject.put_for(&brief, &record(b"brief"), Some(subject.short()));
    subject.put_for(&long, &record(b"long"), Some(HOUR));
    subject.put_for(&ever, &record(b"ever"), None);
    subject.outlast();
    assert_eq!(subject.load(&brief), Slot::default());
    assert!(subject.load(&long).record.is_some());
    assert!(subject.other().load(&ever).record.is_some());
    Ok(())
}

/// Until its time is over a record is there.
pub fn record_is_there_until_its_time_is_over(subject: &Subject<'_>) -> Verdict {
    let slot = subject.promptly(|attempt| {
        let key = subject.key(&format!("brief::{attempt}"));
        subject.put_for(&key, &record(b"brief"), Some(subject.short()));
        subject.load(&key)
    });
    assert!(slot.record.is_some());
    Ok(())
}

/// A record kept for ever, or for longer than can be told, does not end.
pub fn record_kept_for_ever_stays(subject: &Subject<'_>) -> Verdict {
    let (ever, longest) = (subject.key("ever"), subject.key("longest"));
    let century = Duration::from_hours(100 * 365 * 24);
    subject.put_for(&ever, &record(b"ever"), None);
    subject.put_for(&longest, &record(b"longest"), Some(century));
    subject.outlast();
    assert!(subject.load(&ever).record.is_some());
    assert!(subject.load(&longest).record.is_some());
    Ok(())
}

/// A save gives the record its own time, shorter or longer than that of the one before.
pub fn save_replaces_the_time_of_the_record_before(subject: &Subject<'_>) -> Verdict {
    let (shortened, ended) = (subject.key("shortened"), subject.key("ended"));
    subject.put_for(&shortened, &record(b"long"), Some(HOUR));
    subject.put_for(&ended, &record(b"ever"), None);
    let (prolonged, freed) = (subject.key("prolonged"), subject.key("freed"));
    subject.put_for(&prolonged, &record(b"brief"), Some(subject.short()));
    subject.put_for(&freed, &record(b"brief"), Some(subject.short()));
    let brief = Some(subject.short());
    subject.put_for(&shortened, &record(b"brief"), brief);
    subject.put_for(&ended, &record(b"brief"), brief);
    subject.put_for(&prolonged, &record(b"long"), Some(HOUR));
    subject.put_for(&freed, &record(b"ever"), None);
    subject.outlast();
    assert_eq!(subject.load(&shortened), Slot::default());
    assert_eq!(subject.load(&ended), Slot::default());
    assert!(subject.load(&prolonged).record.is_some());
    assert!(subject.load(&freed).record.is_some());
    Ok(())
}

/// A save under a lease gives the record the time asked for, not the lease's.
pub fn record_saved_under_a_lease_has_its_own_time(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let brief = subject.key("brief");
    let token = subject.leased(&brief);
    let guard = Guard::Lease(token);
    let saved = subject.try_save(&brief, &record(b"brief"), Some(subject.short()), guard);
    assert!(saved.expect("the save does not fail"));
    let (long, saved) = subject.promptly(|attempt| {
        let long = subject.key(&format!("long::{attempt}"));
        let token = subject.leased_for(&long, subject.short());
        let guard = Guard::Lease(token);
        let saved = subject.try_save(&long, &record(b"long"), Some(HOUR), guard);
        (long, saved.expect("the save does not fail"))
    });
    assert!(saved);
    subject.outlast();
    assert_eq!(subject.load(&brief), Slot::default());
    assert!(subject.load(&long).record.is_some());
    Ok(())
}

/// A refused save changes no time.
pub fn refused_save_leaves_the_time_of_what_is_there(subject: &Subject<'_>) -> Verdict {
    let key = subject.key("kept");
    subject.put_for(&key, &record(b"kept"), None);
    let refused = subject.try_save(&key, &record(b"no"), Some(subject.short()), Guard::Seen(None));
    assert!(!refused.expect("the save does not fail"));
    subject.outlast();
    assert!(subject.load(&key).record.is_some());
    Ok(())
}

/// The end of a record leaves the lease beside it.
pub fn lease_outlives_the_record_beside_it(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, token) = subject.promptly(|attempt| {
        let (key, brief) = (subject.key(&format!("brief::{attempt}")), record(b"brief"));
        subject.put_for(&key, &brief, Some(subject.short()));
        let token = LeaseToken::random(HolderId::random());
        subject.lease(&key, token, HOUR, Some(brief.id()));
        (key, token)
    });
    subject.outlast();
    assert_eq!(subject.load(&key), Slot { lease: Some(token), ..Slot::default() });
    assert!(subject.save(&key, &record(b"computed"), Guard::Lease(token)));
    assert!(subject.load(&key).record.is_some());
    Ok(())
}

/// The end of a lease leaves the record beside it.
pub fn record_outlives_the_lease_beside_it(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stored) = (subject.key("lasting"), record(b"lasting"));
    subject.put(&key, &stored);
    subject.leased_for(&key, subject.short());
    subject.outlast();
    assert_eq!(subject.load(&key), Slot { record: Some(stored), ..Slot::default() });
    Ok(())
}

/// What has expired does not count as deleted.
pub fn expired_record_is_not_counted_by_delete(subject: &Subject<'_>) -> Verdict {
    let (brief, long) = (subject.key("brief"), subject.key("long"));
    subject.put_for(&brief, &record(b"brief"), Some(subject.short()));
    subject.put(&long, &record(b"long"));
    subject.outlast();
    assert_eq!(subject.delete(&[brief, long]), 1);
    Ok(())
}

/// A touched record lives on past its first time.
pub fn touch_prolongs_a_record(subject: &Subject<'_>) -> Verdict {
    let (hour, ever) = subject.promptly(|attempt| {
        let (hour, ever) =
            (subject.key(&format!("hour::{attempt}")), subject.key(&format!("ever::{attempt}")));
        let stored = record(b"brief");
        for (key, ttl) in [(&hour, Some(HOUR)), (&ever, None)] {
            subject.put_for(key, &stored, Some(subject.short()));
            subject.touch(key, stored.id(), subject.life(ttl, ttl));
        }
        (hour, ever)
    });
    subject.outlast();
    assert!(subject.load(&hour).record.is_some());
    assert!(subject.load(&ever).record.is_some(), "touched to be kept for ever");
    Ok(())
}

/// A record touched to live less long ends earlier.
pub fn touch_shortens_a_record(subject: &Subject<'_>) -> Verdict {
    let (hour, ever) = (subject.key("hour"), subject.key("ever"));
    for (key, ttl) in [(&hour, Some(HOUR)), (&ever, None)] {
        let stored = record(b"long");
        subject.put_for(key, &stored, ttl);
        let brief = Some(subject.short());
        assert!(subject.touch(key, stored.id(), subject.life(brief, brief)));
    }
    subject.outlast();
    assert_eq!(subject.load(&hour), Slot::default());
    assert_eq!(subject.load(&ever), Slot::default());
    Ok(())
}

/// A touched record keeps its id, and is what [`Record::touched`] makes of it.
///
/// [`Record::touched`]: keyedcache::record::Record::touched
pub fn touch_keeps_all_else_of_the_record(subject: &Subject<'_>) -> Verdict {
    let (key, stored) = (subject.key("touched"), record(b"payload"));
    subject.put(&key, &stored);
    let life = subject.life(Some(HOUR / 2), Some(HOUR));
    assert!(subject.touch(&key, stored.id(), life));
    let found = subject.other().load(&key).record.expect("it is there");
    assert_eq!(found.id(), stored.id());
    assert_eq!(found, stored.touched(life).expect("a record"));
    Ok(())
}

/// Only the record seen is touched; where another or none stands, nothing changes.
pub fn touch_of_another_record_changes_nothing(subject: &Subject<'_>) -> Verdict {
    let (key, absent, stored) = (subject.key("another"), subject.key("absent"), record(b"stored"));
    subject.put(&key, &stored);
    let brief = subject.life(Some(subject.short()), Some(subject.short()));
    assert!(!subject.touch(&key, record(b"other").id(), brief));
    assert!(!subject.touch(&absent, stored.id(), subject.life(None, None)));
    subject.outlast();
    assert_eq!(subject.load(&key).record, Some(stored));
    assert_eq!(subject.load(&absent), Slot::default());
    Ok(())
}

/// What has expired is not brought back by touching it.
pub fn touch_does_not_revive_an_expired_record(subject: &Subject<'_>) -> Verdict {
    let (key, stored) = (subject.key("expired"), record(b"brief"));
    subject.put_for(&key, &stored, Some(subject.short()));
    subject.outlast();
    assert!(!subject.touch(&key, stored.id(), subject.life(None, None)));
    assert_eq!(subject.load(&key), Slot::default());
    Ok(())
}

/// Touching takes no lease away.
pub fn touch_leaves_the_lease(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stored) = (subject.key("leased"), record(b"stale"));
    subject.put(&key, &stored);
    let token = subject.leased(&key);
    assert!(subject.touch(&key, stored.id(), subject.life(Some(HOUR), Some(HOUR))));
    assert_eq!(subject.load(&key).lease, Some(token));
    assert!(subject.save(&key, &record(b"computed"), Guard::Lease(token)));
    Ok(())
}

/// The store's clock goes forward as the harness says.
pub fn clock_goes_forward(subject: &Subject<'_>) -> Verdict {
    let start = subject.store().now();
    subject.outlast();
    assert!(subject.store().now().since(start) >= subject.short());
    Ok(())
}
