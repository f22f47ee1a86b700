//! What sinks are told, and when.
//!
//! A sink is told of what its process holds, so the cases load through the handle it listens on
//! before anything changes, as a near cache has. To be told that changes may have been missed is to
//! be told.

use std::sync::Arc;

use keyedcache::record::Scope;
use keyedcache::store::{Guard, HolderId, Incremented, LeaseToken, Leasing, Severity, StoredKey};

use crate::fixtures::{counter, record};
use crate::listener::Listener;
use crate::subject::HOUR;
use crate::{Handle, Subject, Verdict};

/// Whether `act`, done through either handle, is told to one who listens on the first.
fn is_told(
    subject: &Subject<'_>,
    prepare: impl Fn(&Handle, &StoredKey),
    act: impl Fn(&Handle, &StoredKey),
) -> Verdict {
    subject.needs_pushes()?;
    for (turn, actor) in [subject.handle(0), subject.other()].into_iter().enumerate() {
        let key = subject.key(&format!("told::{turn}"));
        prepare(subject, &key);
        let listener = Listener::on(subject);
        subject.load(&key);
        subject.catch_up();
        listener.forget();
        act(actor, &key);
        if turn == 1 {
            subject.catch_up();
        }
        assert!(listener.knows(&key), "not told, though the operation is done");
    }
    Ok(())
}

/// A save is told when it is done.
pub fn save_is_told(subject: &Subject<'_>) -> Verdict {
    is_told(subject, |_, _| (), |actor, key| actor.put(key, &record(b"set")))
}

/// A save that replaces a record is told.
pub fn overwriting_save_is_told(subject: &Subject<'_>) -> Verdict {
    is_told(
        subject,
        |handle, key| handle.put(key, &record(b"first")),
        |actor, key| actor.put(key, &record(b"second")),
    )
}

/// A save by what was seen is told.
pub fn save_by_what_was_seen_is_told(subject: &Subject<'_>) -> Verdict {
    is_told(
        subject,
        |_, _| (),
        |actor, key| {
            assert!(actor.save(key, &record(b"added"), Guard::Seen(None)));
        },
    )
}

/// A save under another holder's lease is told.
pub fn save_under_another_holders_lease_is_told(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    is_told(
        subject,
        |_, _| (),
        |actor, key| {
            let token = actor.leased(key);
            assert!(actor.save(key, &record(b"computed"), Guard::Lease(token)));
        },
    )
}

/// A delete is told.
pub fn delete_is_told(subject: &Subject<'_>) -> Verdict {
    is_told(
        subject,
        |handle, key| handle.put(key, &record(b"gone")),
        |actor, key| assert_eq!(actor.delete(std::slice::from_ref(key)), 1),
    )
}

/// A touch is told: what is near has the old life.
pub fn touch_is_told(subject: &Subject<'_>) -> Verdict {
    is_told(
        subject,
        |handle, key| handle.put(key, &record(b"touched")),
        |actor, key| {
            let seen = actor.id(key).expect("it is there");
            assert!(actor.touch(key, seen, actor.life(Some(HOUR), Some(HOUR))));
        },
    )
}

/// An increment is told: the record keeps its id, so nothing else says that it changed.
pub fn increment_is_told(subject: &Subject<'_>) -> Verdict {
    is_told(
        subject,
        |handle, key| handle.put(key, &counter(0)),
        |actor, key| {
            let seen = actor.id(key).expect("it is there");
            assert_eq!(actor.increment(key, seen, 1), Incremented::Sum(1));
        },
    )
}

/// A clear is told, key by key or as a loss.
pub fn clear_is_told(subject: &Subject<'_>) -> Verdict {
    is_told(
        subject,
        |handle, key| handle.put(key, &record(b"cleared")),
        |actor, key| assert_eq!(actor.clear(key.as_str()), 1),
    )
}

/// Invalidations are told, hard and soft, of each scope.
pub fn invalidation_is_told(subject: &Subject<'_>) -> Verdict {
    subject.needs_pushes()?;
    for (turn, actor) in [subject.handle(0), subject.other()].into_iter().enumerate() {
        for severity in [Severity::Hard, Severity::Soft] {
            let scopes: Vec<Scope> = (0..3)
                .map(|n| subject.scope(&format!("told::{turn}::{severity:?}::{n}")))
                .collect();
            subject.generations(&scopes);
            let listener = Listener::on(subject);
            subject.load_all(&[], &scopes);
            subject.catch_up();
            listener.forget();
            actor.invalidate(&scopes, severity);
            if turn == 1 {
                subject.catch_up();
            }
            assert!(scopes.iter().all(|scope| listener.knows_scope(scope)), "{severity:?}");
        }
    }
    Ok(())
}

/// A holder is not told of what it saves under its own lease, which would drop what it just made, by
/// any store whose pushes do not travel: those may come from a server that tells everybody. Others
/// are told.
pub fn own_save_under_a_lease_is_not_told(subject: &Subject<'_>) -> Verdict {
    subject.needs_pushes()?;
    subject.needs_leases()?;
    let (key, holder) = (subject.key("own"), HolderId::random());
    let own = Listener::of(subject, holder);
    let other = Listener::on(subject);
    let token = LeaseToken::random(holder);
    subject.load(&key);
    assert_eq!(subject.lease(&key, token, HOUR, None), Leasing::Granted);
    subject.catch_up();
    own.forget();
    other.forget();
    assert!(subject.save(&key, &record(b"computed"), Guard::Lease(token)));
    subject.catch_up();
    assert!(subject.pushes_travel() || !own.knows(&key), "told of its own save");
    assert!(other.knows(&key), "others are told");
    Ok(())
}

/// Every other change by the holder itself is told to it.
pub fn own_changes_without_a_lease_are_told(subject: &Subject<'_>) -> Verdict {
    subject.needs_pushes()?;
    subject.needs_leases()?;
    let (key, holder) = (subject.key("own"), HolderId::random());
    let own = Listener::of(subject, holder);
    let token = LeaseToken::random(holder);
    subject.load(&key);
    assert_eq!(subject.lease(&key, token, HOUR, None), Leasing::Granted);
    own.forget();
    subject.put(&key, &record(b"set"));
    assert!(own.knows(&key));
    Ok(())
}

/// Each of several sinks is told.
pub fn every_sink_is_told(subject: &Subject<'_>) -> Verdict {
    subject.needs_pushes()?;
    let key = subject.key("all");
    let listeners: Vec<_> = (0..5).map(|_| Listener::on(subject)).collect();
    subject.load(&key);
    subject.catch_up();
    for listener in &listeners {
        listener.forget();
    }
    subject.put(&key, &record(b"set"));
    assert!(listeners.iter().all(|listener| listener.knows(&key)));
    Ok(())
}

/// A sink that has been dropped is in nobody's way, and is not kept alive.
pub fn dropped_sink_is_forgotten(subject: &Subject<'_>) -> Verdict {
    subject.needs_pushes()?;
    let key = subject.key("dropped");
    let (dropped, kept) = (Listener::on(subject), Listener::on(subject));
    subject.load(&key);
    subject.catch_up();
    kept.forget();
    let weak = Arc::downgrade(&dropped);
    drop(dropped);
    assert!(weak.upgrade().is_none(), "the store keeps no sink alive");
    subject.put(&key, &record(b"set"));
    assert!(kept.knows(&key));
    Ok(())
}

/// What a sink was told of is to be read at once, as it is now.
pub fn what_is_told_can_be_loaded(subject: &Subject<'_>) -> Verdict {
    subject.needs_pushes()?;
    let listener = Listener::on(subject);
    for n in 0..50 {
        let (key, stored) = (subject.key(&format!("told::{n}")), record(b"new"));
        subject.load(&key);
        listener.forget();
        subject.other().put(&key, &stored);
        subject.catch_up();
        assert!(listener.knows(&key));
        assert_eq!(subject.load(&key).record, Some(stored));
    }
    Ok(())
}

/// A store that pushes is trusted once it has caught up, and stays so while nothing happens.
pub fn store_that_pushes_can_be_trusted(subject: &Subject<'_>) -> Verdict {
    subject.needs_pushes()?;
    let _listener = Listener::on(subject);
    assert!((0..100).any(|_| subject.store().trusted()));
    Ok(())
}
