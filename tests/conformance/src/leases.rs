//! Who is granted a lease, for how long, and how it is given back or taken away.

use std::time::Duration;

use keyedcache::store::{
    DECLINED_FOR, Guard, HolderId, LeaseToken, Leasing, Release, Slot, StoredKey,
};

use crate::fixtures::record;
use crate::subject::HOUR;
use crate::{Subject, Verdict};

fn stranger() -> LeaseToken {
    LeaseToken::random(HolderId::random())
}

/// The first who asks for an absent key gets it, and a load tells who holds it.
pub fn lease_is_granted_on_an_absent_key(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("absent");
    let token = subject.leased(&key);
    let slot = Slot { lease: Some(token), ..Slot::default() };
    assert_eq!(subject.load(&key), slot);
    assert_eq!(subject.other().load(&key), slot);
    Ok(())
}

/// A lease stands beside the record it was granted on.
pub fn lease_is_granted_on_the_record_seen(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stale) = (subject.key("stale"), record(b"stale"));
    subject.put(&key, &stale);
    let token = stranger();
    assert_eq!(subject.lease(&key, token, HOUR, Some(stale.id())), Leasing::Granted);
    let slot = Slot { record: Some(stale), lease: Some(token), declined: false };
    assert_eq!(subject.load(&key), slot);
    Ok(())
}

/// The second is told who holds the lease, and for how long still.
pub fn second_who_asks_is_told_who_holds_the_lease(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("held");
    let token = subject.leased(&key);
    let Leasing::Held { by, remaining } = subject.other().lease(&key, stranger(), HOUR, None)
    else {
        panic!("the lease is held");
    };
    assert_eq!(by, token);
    assert!(remaining <= HOUR, "{remaining:?} remain of an hour");
    assert!(remaining > HOUR / 2, "{remaining:?} remain of an hour just begun");
    assert_eq!(subject.load(&key).lease, Some(token), "asking takes nothing away");
    Ok(())
}

/// Another token of the same holder is another lease.
pub fn another_token_of_the_same_holder_does_not_hold(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("held");
    let token = subject.leased(&key);
    let other = LeaseToken::random(token.holder);
    let answer = subject.lease(&key, other, HOUR, None);
    assert!(matches!(answer, Leasing::Held { by, .. } if by == token), "{answer:?}");
    Ok(())
}

/// While a lease stands it is held, whatever record was seen.
pub fn held_lease_is_held_whatever_was_seen(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stale) = (subject.key("held"), record(b"stale"));
    subject.put(&key, &stale);
    let token = subject.leased(&key);
    for seen in [None, Some(stale.id()), Some(record(b"other").id())] {
        let answer = subject.lease(&key, stranger(), HOUR, seen);
        assert!(matches!(answer, Leasing::Held { by, .. } if by == token), "{seen:?}: {answer:?}");
    }
    Ok(())
}

/// The same token asking again, as after a lost answer, holds the lease.
pub fn same_token_is_granted_again(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, computed) = (subject.key("again"), record(b"computed"));
    let token = subject.leased(&key);
    assert_eq!(subject.lease(&key, token, HOUR, None), Leasing::Granted);
    assert_eq!(subject.load(&key).lease, Some(token));
    assert!(subject.save(&key, &computed, Guard::Lease(token)));
    Ok(())
}

/// Where another record stands than the one seen, no lease is granted; what stands there is told.
pub fn lease_tells_what_stands_where_the_record_is_another(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stored) = (subject.key("changed"), record(b"stored"));
    subject.put(&key, &stored);
    let slot = Slot { record: Some(stored), ..Slot::default() };
    for seen in [None, Some(record(b"other").id())] {
        let answer = subject.lease(&key, stranger(), HOUR, seen);
        assert_eq!(answer, Leasing::Changed(slot.clone()), "{seen:?}");
    }
    assert_eq!(subject.load(&key), slot, "no lease was granted");
    Ok(())
}

/// Where nothing stands any more, one who saw a record is told so.
pub fn lease_tells_that_the_record_seen_is_gone(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, seen) = (subject.key("gone"), record(b"seen").id());
    let answer = subject.lease(&key, stranger(), HOUR, Some(seen));
    assert_eq!(answer, Leasing::Changed(Slot::default()));
    assert_eq!(subject.load(&key), Slot::default());
    Ok(())
}

/// A record whose time is over is absent to one who asks for a lease.
pub fn expired_record_counts_as_absent_to_a_lease(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, old) = (subject.key("expired"), record(b"old"));
    subject.put_for(&key, &old, Some(subject.short()));
    subject.outlast();
    let answer = subject.lease(&key, stranger(), HOUR, Some(old.id()));
    assert_eq!(answer, Leasing::Changed(Slot::default()));
    assert_eq!(subject.lease(&key, stranger(), HOUR, None), Leasing::Granted);
    Ok(())
}

/// Of many who ask at once, one is granted and all others are told it is that one.
pub fn of_many_who_ask_at_once_exactly_one_is_granted(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    for round in 0..10 {
        let key = subject.key(&format!("race::{round}"));
        let answers = subject.contest(16, |_, handle| {
            let token = stranger();
            (token, handle.lease(&key, token, HOUR, None))
        });
        let granted: Vec<_> =
            answers.iter().filter(|(_, answer)| *answer == Leasing::Granted).collect();
        assert_eq!(granted.len(), 1, "exactly one of sixteen is granted the lease");
        let winner = granted[0].0;
        for (token, answer) in &answers {
            let told = matches!(answer, Leasing::Held { by, .. } if *by == winner);
            assert!(*token == winner || told, "{answer:?}");
        }
        assert_eq!(subject.load(&key).lease, Some(winner));
    }
    Ok(())
}

/// A lease ends with its time, and the next who asks gets it.
pub fn lease_ends_with_its_time(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("ends");
    let token = subject.leased_for(&key, subject.short());
    subject.outlast();
    assert_eq!(subject.load(&key), Slot::default());
    assert!(!subject.renew(&key, token, HOUR), "what is over is not renewed");
    assert!(!subject.release(&key, token, Release::Declined), "nor given back");
    assert_eq!(subject.load(&key), Slot::default());
    subject.other().leased(&key);
    Ok(())
}

/// A lease renewed outlasts its first time.
pub fn renew_prolongs_the_lease(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, token) = subject.promptly(|attempt| {
        let key = subject.key(&format!("renewed::{attempt}"));
        let token = subject.leased_for(&key, subject.short());
        subject.renew(&key, token, HOUR);
        (key, token)
    });
    subject.outlast();
    assert_eq!(subject.load(&key).lease, Some(token));
    assert!(subject.save(&key, &record(b"computed"), Guard::Lease(token)));
    Ok(())
}

/// The time given counts from the renewal, even if less was left than before.
pub fn renew_counts_from_now(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("shortened");
    let token = subject.leased(&key);
    assert!(subject.renew(&key, token, subject.short()));
    subject.outlast();
    assert_eq!(subject.load(&key).lease, None);
    Ok(())
}

/// The same token asking again has its lease prolonged.
pub fn same_token_asking_again_prolongs_the_lease(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, token) = subject.promptly(|attempt| {
        let key = subject.key(&format!("asked::{attempt}"));
        let token = subject.leased_for(&key, subject.short());
        subject.lease(&key, token, HOUR, None);
        (key, token)
    });
    subject.outlast();
    assert_eq!(subject.load(&key).lease, Some(token));
    Ok(())
}

/// A stranger's renewal says no, and neither prolongs nor shortens the lease.
pub fn renew_by_a_stranger_changes_nothing(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (long, short, absent) = (subject.key("long"), subject.key("short"), subject.key("absent"));
    let token = subject.leased(&long);
    assert!(!subject.renew(&long, stranger(), subject.short()));
    assert!(!subject.renew(&long, LeaseToken::random(token.holder), subject.short()));
    subject.leased_for(&short, subject.short());
    assert!(!subject.renew(&short, stranger(), HOUR));
    assert!(!subject.renew(&absent, stranger(), HOUR));
    subject.outlast();
    assert_eq!(subject.load(&long).lease, Some(token));
    assert_eq!(subject.load(&short), Slot::default());
    assert_eq!(subject.load(&absent), Slot::default());
    Ok(())
}

/// A stranger's release says no, and the lease stands.
pub fn release_by_a_stranger_changes_nothing(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, absent) = (subject.key("held"), subject.key("absent"));
    let token = subject.leased(&key);
    for other in [stranger(), LeaseToken::random(token.holder)] {
        for release in [Release::Abandoned, Release::Declined] {
            assert!(!subject.release(&key, other, release));
            assert!(!subject.release(&absent, other, release));
        }
    }
    assert_eq!(subject.load(&key), Slot { lease: Some(token), ..Slot::default() });
    assert_eq!(subject.load(&absent), Slot::default());
    Ok(())
}

/// An abandoned lease leaves everything as it was, for the next to take over.
pub fn abandoned_lease_leaves_the_key_to_the_next(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stale) = (subject.key("abandoned"), record(b"stale"));
    for slot in [Slot::default(), Slot { record: Some(stale.clone()), ..Slot::default() }] {
        if slot.record.is_some() {
            subject.put(&key, &stale);
        }
        let token = subject.leased(&key);
        assert!(subject.release(&key, token, Release::Abandoned));
        assert_eq!(subject.load(&key), slot);
        assert!(!subject.release(&key, token, Release::Abandoned), "it is given back once");
        let next = subject.other().leased(&key);
        assert!(subject.other().release(&key, next, Release::Abandoned));
    }
    Ok(())
}

/// A declined lease is gone, and a load says for a while that it was declined.
pub fn declined_lease_is_marked(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let stale = record(b"stale");
    let slots = promptly_declined(subject, |attempt| {
        let (bare, key) = (
            subject.key(&format!("bare::{attempt}")),
            subject.key(&format!("with a record::{attempt}")),
        );
        subject.put(&key, &stale);
        decline(subject, &bare);
        decline(subject, &key);
        (subject.load(&bare), subject.other().load(&key))
    });
    assert_eq!(slots.0, Slot { declined: true, ..Slot::default() });
    assert_eq!(slots.1, Slot { record: Some(stale), lease: None, declined: true });
    Ok(())
}

/// After a second the marker is gone, and only it.
pub fn declined_marker_lasts_a_second(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, stale) = (subject.key("declined"), record(b"stale"));
    subject.put(&key, &stale);
    decline(subject, &key);
    subject.advance(DECLINED_FOR + subject.short());
    assert_eq!(subject.load(&key), Slot { record: Some(stale), ..Slot::default() });
    Ok(())
}

/// A marker does not stand in the way of the next lease.
pub fn declined_key_can_be_leased(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("declined");
    decline(subject, &key);
    let token = subject.leased(&key);
    assert_eq!(subject.load(&key).lease, Some(token));
    assert!(subject.save(&key, &record(b"computed"), Guard::Lease(token)));
    assert!(!subject.load(&key).declined);
    Ok(())
}

/// A save ends the marker.
pub fn declined_marker_is_cleared_by_a_save(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    for guard in [Guard::Always, Guard::Seen(None)] {
        let (key, stored) = (subject.key(&format!("saved::{guard:?}")), record(b"saved"));
        decline(subject, &key);
        assert!(subject.save(&key, &stored, guard));
        assert_eq!(subject.load(&key), Slot { record: Some(stored), ..Slot::default() });
    }
    Ok(())
}

/// A delete ends the marker, though no record was there.
pub fn declined_marker_is_cleared_by_a_delete(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("deleted");
    decline(subject, &key);
    assert_eq!(subject.delete(std::slice::from_ref(&key)), 0);
    assert_eq!(subject.load(&key), Slot::default());
    Ok(())
}

/// A delete takes the lease away whether or not a record was there; the next who asks gets it.
pub fn delete_takes_the_lease_away(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (bare, key, other) = (subject.key("bare"), subject.key("full"), subject.key("other"));
    subject.put(&key, &record(b"stale"));
    let (first, second, third) =
        (subject.leased(&bare), subject.leased(&key), subject.leased(&other));
    assert_eq!(subject.delete(&[bare.clone(), key.clone()]), 1);
    for (key, token) in [(&bare, first), (&key, second)] {
        assert_eq!(subject.load(key), Slot::default());
        assert!(!subject.renew(key, token, HOUR), "a lost lease is not renewed");
        assert!(!subject.release(key, token, Release::Declined), "nor given back");
        assert_eq!(subject.load(key), Slot::default());
        subject.leased(key);
    }
    assert_eq!(subject.load(&other).lease, Some(third), "other keys keep theirs");
    Ok(())
}

/// Keys leased side by side are leased for themselves.
pub fn leases_of_different_keys_are_apart(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let keys = ["a", "a::b", "a:b", "ab", "A"].map(|name| subject.key(name));
    let tokens = keys.each_ref().map(|key| subject.leased(key));
    assert!(subject.release(&keys[0], tokens[0], Release::Abandoned));
    let slots = subject.load_all(&keys, &[]).slots;
    let leases: Vec<_> = slots.iter().map(|slot| slot.lease).collect();
    let expected: Vec<_> =
        [None].into_iter().chain(tokens[1..].iter().copied().map(Some)).collect();
    assert_eq!(leases, expected);
    Ok(())
}

fn decline(subject: &Subject<'_>, key: &StoredKey) {
    let token = subject.leased(key);
    assert!(subject.release(key, token, Release::Declined));
}

/// What `attempt` gave the first time it took less than half the life of a declined marker.
fn promptly_declined<T>(subject: &Subject<'_>, attempt: impl Fn(usize) -> T) -> T {
    let in_time: Duration = DECLINED_FOR / 2;
    for number in 0..20 {
        let start = subject.store().now();
        let answer = attempt(number);
        if subject.store().now().since(start) < in_time {
            return answer;
        }
    }
    panic!("twenty times, a few operations took longer than {in_time:?}");
}
