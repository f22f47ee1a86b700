//! Reclaiming the room of everything under a prefix, and of nothing else.

use keyedcache::store::{Guard, Severity, Slot, StoredKey};

use crate::fixtures::record;
use crate::{Subject, Verdict};

fn fill(subject: &Subject<'_>, names: &str, many: usize) -> Vec<StoredKey> {
    let keys: Vec<_> = (0..many).map(|n| subject.key(&format!("{names}{n}"))).collect();
    for key in &keys {
        subject.put(key, &record(b"cleared"));
    }
    keys
}

fn under(subject: &Subject<'_>, name: &str) -> String {
    format!("{}{name}", subject.prefix())
}

/// Every record under the prefix is gone, however many there are, and they are counted.
pub fn clear_deletes_and_counts_the_records_under_the_prefix(subject: &Subject<'_>) -> Verdict {
    let keys = fill(subject, "cleared::", 1100);
    assert_eq!(subject.clear(&under(subject, "cleared::")), keys.len());
    let slots = subject.other().load_all(&keys, &[]).slots;
    assert!(slots.iter().all(|slot| *slot == Slot::default()));
    assert_eq!(subject.clear(&under(subject, "cleared::")), 0);
    Ok(())
}

/// Keys that only look alike stay.
pub fn clear_leaves_all_other_keys(subject: &Subject<'_>) -> Verdict {
    let names = ["a", "a:", "ab::1", "A::1", "b", "b::a::1", "a\u{301}::1"];
    let keys = names.map(|name| subject.key(name));
    for key in &keys {
        subject.put(key, &record(b"kept"));
    }
    fill(subject, "a::", 3);
    assert_eq!(subject.clear(&under(subject, "a::")), 3);
    let slots = subject.load_all(&keys, &[]).slots;
    assert!(slots.iter().all(|slot| slot.record.is_some()));
    Ok(())
}

/// Glob characters in the prefix stand for themselves.
pub fn clear_takes_glob_characters_literally(subject: &Subject<'_>) -> Verdict {
    let beside = ["star::1", "starfish::1", "whatx::1", "seta::1"].map(|name| subject.key(name));
    for key in &beside {
        subject.put(key, &record(b"kept"));
    }
    for glob in ["star*", "what?", "set[ab]", "*", "?", "[a-z]"] {
        subject.put(&subject.key(&format!("{glob}::1")), &record(b"glob"));
        assert_eq!(subject.clear(&under(subject, &format!("{glob}::"))), 1, "{glob}");
    }
    let slots = subject.load_all(&beside, &[]).slots;
    assert!(slots.iter().all(|slot| slot.record.is_some()));
    Ok(())
}

/// Leases under the prefix stand, and their holders save; generations stay as they are.
pub fn clear_leaves_leases_and_generations(subject: &Subject<'_>) -> Verdict {
    let keys = fill(subject, "kept::", 3);
    let scopes = [subject.scope("kept::"), subject.scope("kept::0"), subject.scope("kept::scope")];
    let generations = subject.generations(&scopes);
    let bare = subject.key("kept::bare");
    let leases = subject.capabilities().leases;
    let tokens = leases.then(|| (subject.leased(&keys[0]), subject.leased(&bare)));
    assert_eq!(subject.clear(&under(subject, "kept::")), 3);
    assert_eq!(subject.generations(&scopes), generations);
    if let Some((beside, alone)) = tokens {
        for (key, token) in [(&keys[0], beside), (&bare, alone)] {
            assert_eq!(subject.load(key), Slot { lease: Some(token), ..Slot::default() });
            assert!(subject.save(key, &record(b"computed"), Guard::Lease(token)));
        }
    }
    Ok(())
}

/// What is none of the cache's stays, even if it stands beside what is.
pub fn clear_leaves_foreign_data(subject: &Subject<'_>) -> Verdict {
    let survived = subject.plant_foreign()?;
    fill(subject, "cleared::", 20);
    assert_eq!(subject.clear(subject.prefix()), 20);
    assert!(survived(), "foreign data is gone or changed");
    Ok(())
}

/// Nothing that the cache does otherwise touches what is not its own, or finds it.
pub fn foreign_data_is_neither_found_nor_touched(subject: &Subject<'_>) -> Verdict {
    let survived = subject.plant_foreign()?;
    let keys = fill(subject, "", 20);
    subject.invalidate(&[subject.scope("")], Severity::Hard);
    assert_eq!(subject.scan(subject.prefix()).len(), keys.len());
    assert_eq!(subject.delete(&keys), keys.len());
    assert!(survived(), "foreign data is gone or changed");
    Ok(())
}

/// Records that have expired are not counted.
pub fn clear_does_not_count_what_has_expired(subject: &Subject<'_>) -> Verdict {
    fill(subject, "mixed::", 3);
    for n in 3..6 {
        let key = subject.key(&format!("mixed::{n}"));
        subject.put_for(&key, &record(b"brief"), Some(subject.short()));
    }
    subject.outlast();
    assert_eq!(subject.clear(&under(subject, "mixed::")), 3);
    Ok(())
}
