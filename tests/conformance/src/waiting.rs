//! Waiting for a lease to end: what ends the wait, and that nothing keeps it.
//!
//! A wait may end early, so no case asserts that one lasts. Each is begun (polled once) before what
//! must end it is done, so none depends on the timing of threads.

use std::time::{Duration, Instant};

use keyedcache::store::{Guard, HolderId, LeaseToken, Leasing, Pending, Release, StoredKey};

use crate::fixtures::record;
use crate::handle::{block_on, is_ready};
use crate::subject::HOUR;
use crate::{Handle, Subject, Verdict};

/// How long waits are asked to last at most.
const AT_MOST: Duration = Duration::from_secs(30);

/// A wait still going on after this long was not ended by what happened.
const NOTICED: Duration = Duration::from_secs(15);

/// A wait for a standing lease, begun and not over.
fn begun<'a>(handle: &'a Handle, key: &'a StoredKey, token: LeaseToken) -> Pending<'a, ()> {
    for _ in 0..1000 {
        let mut wait = handle.changed(key, token, AT_MOST);
        if !is_ready(&mut wait) {
            return wait;
        }
    }
    panic!("every one of a thousand waits for a lease that stands was over at once");
}

fn ends(wait: Pending<'_, ()>) {
    let start = Instant::now();
    block_on(wait).expect("a wait does not fail");
    assert!(start.elapsed() < NOTICED, "the wait went on for {:?}", start.elapsed());
}

/// Whether `act`, done while another waits for a lease on the key, ends the wait.
fn is_ended_by(subject: &Subject<'_>, act: impl Fn(&StoredKey, LeaseToken)) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("awaited");
    for handle in [subject.handle(0), subject.other()] {
        let token = subject.leased(&key);
        let wait = begun(handle, &key, token);
        act(&key, token);
        ends(wait);
        subject.delete(std::slice::from_ref(&key));
    }
    Ok(())
}

/// The holder's save ends the wait.
pub fn wait_is_ended_by_the_holders_save(subject: &Subject<'_>) -> Verdict {
    is_ended_by(subject, |key, token| {
        assert!(subject.save(key, &record(b"computed"), Guard::Lease(token)));
    })
}

/// Anybody's save, which takes the lease away, ends the wait.
pub fn wait_is_ended_by_an_unguarded_save(subject: &Subject<'_>) -> Verdict {
    is_ended_by(subject, |key, _| subject.put(key, &record(b"set")))
}

/// So does a save by what was seen.
pub fn wait_is_ended_by_a_save_by_what_was_seen(subject: &Subject<'_>) -> Verdict {
    is_ended_by(subject, |key, _| {
        assert!(subject.save(key, &record(b"added"), Guard::Seen(None)));
    })
}

/// A lease given back ends the wait.
pub fn wait_is_ended_by_an_abandoned_lease(subject: &Subject<'_>) -> Verdict {
    is_ended_by(subject, |key, token| {
        assert!(subject.release(key, token, Release::Abandoned));
    })
}

/// A lease declined ends the wait, and a load then says so.
pub fn wait_is_ended_by_a_declined_lease(subject: &Subject<'_>) -> Verdict {
    is_ended_by(subject, |key, token| {
        assert!(subject.release(key, token, Release::Declined));
    })
}

/// A delete ends the wait, though no record was there.
pub fn wait_is_ended_by_a_delete(subject: &Subject<'_>) -> Verdict {
    is_ended_by(subject, |key, _| {
        assert_eq!(subject.delete(std::slice::from_ref(key)), 0);
    })
}

/// The lease's own time ends a wait that began while it stood.
pub fn wait_is_ended_by_the_end_of_the_lease(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("expires");
    for handle in [subject.handle(0), subject.other()] {
        let token = subject.leased_for(&key, subject.short());
        let mut wait = handle.changed(&key, token, AT_MOST);
        let over = is_ready(&mut wait);
        subject.outlast();
        if !over {
            ends(wait);
        }
    }
    Ok(())
}

/// The lease's own time ends a wait even after renewals.
pub fn wait_is_ended_by_the_end_of_a_renewed_lease(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("renewed");
    let token = subject.leased_for(&key, subject.short());
    let mut wait = subject.changed(&key, token, AT_MOST);
    let over = is_ready(&mut wait);
    subject.renew(&key, token, subject.short() * 2);
    subject.outlast();
    subject.outlast();
    if !over {
        ends(wait);
    }
    assert_eq!(subject.load(&key).lease, None);
    Ok(())
}

/// A lease that another took over after its time does not stand any more.
pub fn wait_for_a_lease_taken_over_ends_at_once(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("taken over");
    let late = subject.leased_for(&key, subject.short());
    subject.outlast();
    subject.leased(&key);
    for handle in [subject.handle(0), subject.other()] {
        ends(handle.changed(&key, late, AT_MOST));
    }
    Ok(())
}

/// Where the lease does not stand, because there is none or another, there is nothing to wait for.
pub fn wait_for_a_lease_that_does_not_stand_ends_at_once(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (absent, held) = (subject.key("absent"), subject.key("held"));
    let token = subject.leased(&held);
    for handle in [subject.handle(0), subject.other()] {
        let stranger = LeaseToken::random(HolderId::random());
        ends(handle.changed(&absent, stranger, AT_MOST));
        ends(handle.changed(&held, stranger, AT_MOST));
        ends(handle.changed(&held, LeaseToken::random(token.holder), AT_MOST));
        ends(handle.changed(&absent, token, AT_MOST));
    }
    Ok(())
}

/// A wait lasts no longer than it was asked to, though the lease stands on.
pub fn wait_ends_after_at_most_the_time_asked_for(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("lasting");
    let token = subject.leased(&key);
    ends(subject.changed(&key, token, Duration::ZERO));
    ends(subject.changed(&key, token, Duration::from_millis(50)));
    assert_eq!(subject.load(&key).lease, Some(token), "waiting takes nothing away");
    Ok(())
}

/// Many who wait are all woken.
pub fn all_who_wait_are_woken(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("crowd");
    let token = subject.leased(&key);
    let waits: Vec<_> = (0..32).map(|n| begun(subject.handle(n), &key, token)).collect();
    assert!(subject.save(&key, &record(b"computed"), Guard::Lease(token)));
    waits.into_iter().for_each(ends);
    Ok(())
}

/// Those who wait on threads of their own are all woken too.
pub fn all_waiting_threads_are_woken(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("threads");
    let token = subject.leased(&key);
    subject.contest(9, |n, handle| {
        if n == 0 {
            assert!(handle.save(&key, &record(b"computed"), Guard::Lease(token)));
        } else {
            ends(handle.changed(&key, token, AT_MOST));
        }
    });
    Ok(())
}

/// Those who gave up waiting leave the others waiting and awake.
pub fn abandoned_wait_leaves_the_others(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("given up");
    let token = subject.leased(&key);
    let given_up = begun(subject, &key, token);
    let kept = begun(subject, &key, token);
    drop(given_up);
    assert!(subject.release(&key, token, Release::Abandoned));
    ends(kept);
    Ok(())
}

/// What is done to one key ends no wait for good that is about another: its own end is noticed yet.
pub fn wait_notices_its_own_key_after_others_changed(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, other) = (subject.key("own"), subject.key("own::other"));
    let token = subject.leased(&key);
    let wait = begun(subject, &key, token);
    let other_token = subject.leased(&other);
    assert!(subject.release(&other, other_token, Release::Abandoned));
    assert!(subject.release(&key, token, Release::Abandoned));
    ends(wait);
    Ok(())
}

/// A renewed lease can be waited for past its first time.
pub fn wait_outlives_a_renewal(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("renewed");
    let token = LeaseToken::random(HolderId::random());
    assert_eq!(subject.lease(&key, token, HOUR, None), Leasing::Granted);
    let wait = begun(subject, &key, token);
    assert!(subject.renew(&key, token, HOUR));
    assert!(subject.save(&key, &record(b"computed"), Guard::Lease(token)));
    ends(wait);
    Ok(())
}
