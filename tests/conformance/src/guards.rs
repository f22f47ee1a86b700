//! A save takes place only if its guard holds, and what it does to a lease.

use std::collections::HashSet;

use keyedcache::store::{Guard, HolderId, LeaseToken, Leasing, Release, Slot, StoredKey};

use crate::fixtures::record;
use crate::subject::HOUR;
use crate::{Subject, Verdict};

/// With nothing seen, only an empty place is filled.
pub fn seen_nothing_saves_only_where_nothing_is(subject: &Subject<'_>) -> Verdict {
    let (key, first) = (subject.key("add"), record(b"first"));
    assert!(subject.save(&key, &first, Guard::Seen(None)));
    assert!(!subject.save(&key, &record(b"second"), Guard::Seen(None)));
    assert_eq!(subject.load(&key).record, Some(first));
    Ok(())
}

/// With a record seen, only that one is replaced.
pub fn seen_record_is_replaced_only_while_it_stands(subject: &Subject<'_>) -> Verdict {
    let (key, first, second) = (subject.key("swap"), record(b"first"), record(b"second"));
    assert!(!subject.save(&key, &second, Guard::Seen(Some(first.id()))), "nothing is there");
    assert_eq!(subject.load(&key), Slot::default());
    subject.put(&key, &first);
    assert!(!subject.save(&key, &second, Guard::Seen(Some(second.id()))), "another is there");
    assert_eq!(subject.load(&key).record.as_ref(), Some(&first));
    assert!(subject.save(&key, &second, Guard::Seen(Some(first.id()))));
    assert_eq!(subject.load(&key).record.as_ref(), Some(&second));
    assert!(!subject.save(&key, &record(b"late"), Guard::Seen(Some(first.id()))), "it is replaced");
    assert_eq!(subject.load(&key).record, Some(second));
    Ok(())
}

/// A record whose time is over is nothing to a guard.
pub fn expired_record_counts_as_absent_to_a_guard(subject: &Subject<'_>) -> Verdict {
    let (key, old, new) = (subject.key("old"), record(b"old"), record(b"new"));
    subject.put_for(&key, &old, Some(subject.short()));
    subject.outlast();
    assert!(!subject.save(&key, &new, Guard::Seen(Some(old.id()))));
    assert!(subject.save(&key, &new, Guard::Seen(None)));
    assert_eq!(subject.load(&key).record, Some(new));
    Ok(())
}

/// Of many who saw nothing, one saves.
pub fn of_many_who_saw_nothing_exactly_one_saves(subject: &Subject<'_>) -> Verdict {
    for round in 0..10 {
        let key = subject.key(&format!("race::{round}"));
        one_wins(subject, &key, Guard::Seen(None));
    }
    Ok(())
}

/// Of many who saw the same record, one replaces it.
pub fn of_many_who_saw_one_record_exactly_one_replaces_it(subject: &Subject<'_>) -> Verdict {
    for round in 0..10 {
        let (key, seen) = (subject.key(&format!("race::{round}")), record(b"seen"));
        subject.put(&key, &seen);
        one_wins(subject, &key, Guard::Seen(Some(seen.id())));
    }
    Ok(())
}

fn one_wins(subject: &Subject<'_>, key: &StoredKey, guard: Guard) {
    let saves = subject.contest(8, |n, handle| {
        let record = record(n.to_string().as_bytes());
        handle.save(key, &record, guard).then_some(record)
    });
    let won: Vec<_> = saves.into_iter().flatten().collect();
    assert_eq!(won.len(), 1, "exactly one of eight saves takes place");
    assert_eq!(subject.load(key).record.as_ref(), won.first(), "and it is the one that stands");
}

/// The holder of the lease saves, and has no lease any more.
pub fn save_under_the_lease_ends_it(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, computed) = (subject.key("led"), record(b"computed"));
    let token = subject.leased(&key);
    assert!(subject.save(&key, &computed, Guard::Lease(token)));
    let slot = Slot { record: Some(computed.clone()), ..Slot::default() };
    assert_eq!(subject.load(&key), slot);
    assert!(!subject.save(&key, &record(b"again"), Guard::Lease(token)), "once and no more");
    assert!(!subject.renew(&key, token, HOUR));
    assert!(!subject.release(&key, token, Release::Abandoned));
    assert_eq!(subject.load(&key), slot);
    Ok(())
}

/// The record under which the lease was granted is replaced.
pub fn save_under_the_lease_replaces_the_record_seen(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stale, computed) = (subject.key("refreshed"), record(b"stale"), record(b"new"));
    subject.put(&key, &stale);
    let token = subject.leased(&key);
    assert_eq!(subject.load(&key).record, Some(stale), "it can be served meanwhile");
    assert!(subject.save(&key, &computed, Guard::Lease(token)));
    assert_eq!(subject.load(&key).record, Some(computed));
    Ok(())
}

/// A token that no lease bears saves nothing, though no lease stands.
pub fn save_without_the_lease_is_refused(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stranger) = (subject.key("strange"), LeaseToken::random(HolderId::random()));
    assert!(!subject.save(&key, &record(b"strange"), Guard::Lease(stranger)));
    assert_eq!(subject.load(&key), Slot::default());
    Ok(())
}

/// A stranger's token saves nothing while another's lease stands, and takes nothing away.
pub fn save_under_a_strangers_token_leaves_the_lease(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, computed) = (subject.key("strange"), record(b"computed"));
    let token = subject.leased(&key);
    let same_holder = LeaseToken::random(token.holder);
    for stranger in [LeaseToken::random(HolderId::random()), same_holder] {
        assert!(!subject.save(&key, &record(b"strange"), Guard::Lease(stranger)));
    }
    assert_eq!(subject.load(&key), Slot { lease: Some(token), ..Slot::default() });
    assert!(subject.save(&key, &computed, Guard::Lease(token)));
    Ok(())
}

/// A lease on one key is none on another.
pub fn lease_of_another_key_guards_nothing(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, other) = (subject.key("leased"), subject.key("leased::other"));
    let token = subject.leased(&key);
    assert!(!subject.save(&other, &record(b"astray"), Guard::Lease(token)));
    assert_eq!(subject.load(&other), Slot::default());
    assert_eq!(subject.load(&key).lease, Some(token));
    Ok(())
}

/// A save that nothing guards takes the lease away: its holder comes too late.
pub fn unguarded_save_takes_the_lease_away(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, set) = (subject.key("set"), record(b"set"));
    let token = subject.leased(&key);
    subject.other().put(&key, &set);
    let slot = Slot { record: Some(set), ..Slot::default() };
    assert_eq!(subject.load(&key), slot);
    assert!(!subject.save(&key, &record(b"late"), Guard::Lease(token)));
    assert_eq!(subject.load(&key), slot, "the newer record stands");
    Ok(())
}

/// A save guarded by what was seen takes the lease away too.
pub fn save_by_what_was_seen_takes_the_lease_away(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, first, second) = (subject.key("seen"), record(b"first"), record(b"second"));
    for (record, seen) in [(&first, None), (&second, Some(first.id()))] {
        let token = subject.leased(&key);
        assert!(subject.save(&key, record, Guard::Seen(seen)));
        assert_eq!(subject.load(&key), Slot { record: Some(record.clone()), ..Slot::default() });
        assert!(!subject.save(&key, &crate::fixtures::record(b"late"), Guard::Lease(token)));
    }
    Ok(())
}

/// A save that is refused leaves the lease that stands.
pub fn refused_save_by_what_was_seen_leaves_the_lease(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stale) = (subject.key("seen"), record(b"stale"));
    subject.put(&key, &stale);
    let token = subject.leased(&key);
    assert!(!subject.save(&key, &record(b"no"), Guard::Seen(None)));
    assert_eq!(subject.load(&key).lease, Some(token));
    assert!(subject.save(&key, &record(b"yes"), Guard::Lease(token)));
    Ok(())
}

/// Once the key is deleted, what was being computed is not saved.
pub fn save_under_a_lease_is_refused_after_a_delete(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stale) = (subject.key("forgotten"), record(b"stale"));
    for with_record in [false, true] {
        if with_record {
            subject.put(&key, &stale);
        }
        let token = subject.leased(&key);
        assert_eq!(subject.other().delete(std::slice::from_ref(&key)), usize::from(with_record));
        assert!(!subject.save(&key, &record(b"late"), Guard::Lease(token)));
        assert_eq!(subject.load(&key), Slot::default());
    }
    Ok(())
}

/// Nor is it when the key was deleted and leased anew: the new lease stands.
pub fn save_under_a_lease_is_refused_after_delete_and_takeover(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, computed) = (subject.key("forgotten"), record(b"computed"));
    let late = subject.leased(&key);
    subject.delete(std::slice::from_ref(&key));
    let token = subject.leased(&key);
    assert!(!subject.save(&key, &record(b"late"), Guard::Lease(late)));
    assert_eq!(subject.load(&key), Slot { lease: Some(token), ..Slot::default() });
    assert!(subject.save(&key, &computed, Guard::Lease(token)));
    assert_eq!(subject.load(&key).record, Some(computed));
    Ok(())
}

/// A lease whose time is over guards nothing, even if nobody took over.
pub fn save_under_an_expired_lease_is_refused(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("paused");
    let token = subject.leased_for(&key, subject.short());
    subject.outlast();
    assert!(!subject.save(&key, &record(b"late"), Guard::Lease(token)));
    assert_eq!(subject.load(&key), Slot::default());
    Ok(())
}

/// A holder paused beyond its lease does not disturb the one that took over.
pub fn save_under_an_expired_lease_is_refused_after_takeover(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, computed) = (subject.key("paused"), record(b"computed"));
    let late = subject.leased_for(&key, subject.short());
    subject.outlast();
    let token = subject.other().leased(&key);
    assert!(!subject.save(&key, &record(b"late"), Guard::Lease(late)));
    assert_eq!(subject.load(&key), Slot { lease: Some(token), ..Slot::default() });
    assert!(subject.other().save(&key, &computed, Guard::Lease(token)));
    assert!(!subject.save(&key, &record(b"late"), Guard::Lease(late)));
    assert_eq!(subject.load(&key).record, Some(computed));
    Ok(())
}

/// A lease given back guards nothing.
pub fn save_under_a_released_lease_is_refused(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    for release in [Release::Abandoned, Release::Declined] {
        let key = subject.key("released");
        let token = subject.leased(&key);
        assert!(subject.release(&key, token, release));
        assert!(!subject.save(&key, &record(b"late"), Guard::Lease(token)));
        assert_eq!(subject.load(&key).record, None);
    }
    Ok(())
}

/// Of many saves under one lease, one takes place.
pub fn of_many_saves_under_one_lease_exactly_one_takes_place(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    for round in 0..10 {
        let key = subject.key(&format!("race::{round}"));
        let token = subject.leased(&key);
        one_wins(subject, &key, Guard::Lease(token));
    }
    Ok(())
}

/// Every accepted save was made of the record its saver saw: no update is lost.
pub fn read_and_replace_loses_no_update(subject: &Subject<'_>) -> Verdict {
    const ROUNDS: usize = 10;
    let key = subject.key("chain");
    subject.put(&key, &record(b"start"));
    let replaced = subject.contest(4, |_, handle| {
        let mut replaced = Vec::new();
        while replaced.len() < ROUNDS {
            let seen = handle.id(&key);
            if handle.save(&key, &record(b"next"), Guard::Seen(seen)) {
                replaced.push(seen.expect("it is never deleted"));
            }
        }
        replaced
    });
    let replaced: Vec<_> = replaced.into_iter().flatten().collect();
    let distinct: HashSet<_> = replaced.iter().collect();
    assert_eq!(distinct.len(), 4 * ROUNDS, "no record was replaced twice");
    Ok(())
}

/// A save refused under a lost lease does not stop the next from leasing and saving.
pub fn refused_save_leaves_the_key_usable(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, computed) = (subject.key("usable"), record(b"computed"));
    let lost = subject.leased(&key);
    subject.delete(std::slice::from_ref(&key));
    assert!(!subject.save(&key, &record(b"late"), Guard::Lease(lost)));
    let token = LeaseToken::random(HolderId::random());
    assert_eq!(subject.lease(&key, token, HOUR, None), Leasing::Granted);
    assert!(subject.save(&key, &computed, Guard::Lease(token)));
    assert_eq!(subject.load(&key).record, Some(computed));
    Ok(())
}
