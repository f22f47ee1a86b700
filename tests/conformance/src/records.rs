//! What is saved is what is loaded: order, sizes, odd keys, overwriting, deleting.

use keyedcache::ErrorKind;
use keyedcache::record::Record;
use keyedcache::store::{Guard, Severity, Slot, StoredKey};

use crate::fixtures::{record, record_of_size, rubbish};
use crate::handle::is_ready;
use crate::{Subject, Verdict};

/// Nothing stands under a key that was never saved.
pub fn absent_key_has_an_empty_slot(subject: &Subject<'_>) -> Verdict {
    assert_eq!(subject.load(&subject.key("absent")), Slot::default());
    Ok(())
}

/// A load of nothing answers with nothing.
pub fn load_of_no_keys_is_empty(subject: &Subject<'_>) -> Verdict {
    let loaded = subject.load_all(&[], &[]);
    assert!(loaded.slots.is_empty() && loaded.generations.is_empty());
    Ok(())
}

/// Slots come one for each key, in the order asked for, absent and repeated ones in their places.
pub fn load_answers_in_the_order_asked_for(subject: &Subject<'_>) -> Verdict {
    let keys: Vec<_> = (0..20).map(|n| subject.key(&format!("order::{n}"))).collect();
    let records: Vec<_> = (0..20).map(|n: u8| record(&[n])).collect();
    for place in (0..20).step_by(2) {
        subject.put(&keys[place], &records[place]);
    }
    let asked: Vec<_> = [3, 18, 0, 7, 4, 18, 19, 2].to_vec();
    let asked_keys: Vec<_> = asked.iter().map(|&place: &usize| keys[place].clone()).collect();
    let slots = subject.load_all(&asked_keys, &[]).slots;
    assert_eq!(slots.len(), asked.len());
    for (slot, place) in slots.into_iter().zip(asked) {
        assert_eq!(slot.record, (place % 2 == 0).then(|| records[place].clone()), "key {place}");
    }
    Ok(())
}

/// Slots and generations asked for together both come in order.
pub fn load_answers_keys_and_scopes_together(subject: &Subject<'_>) -> Verdict {
    let (one, two) = (subject.key("one"), subject.key("two"));
    let scopes = [subject.scope("first"), subject.scope("absent"), subject.scope("second")];
    let stored = record(b"two");
    subject.put(&two, &stored);
    let first = subject.generation(&scopes[0]);
    let second = subject.generation(&scopes[2]);
    let loaded = subject.load_all(&[one, two], &scopes);
    assert_eq!(loaded.slots[0].record, None);
    assert_eq!(loaded.slots[1].record, Some(stored));
    assert_eq!(loaded.generations, [Some(first), None, Some(second)]);
    Ok(())
}

/// A record without a payload is a record.
pub fn record_with_an_empty_payload_is_kept(subject: &Subject<'_>) -> Verdict {
    comes_back(subject, "empty", &record(b""));
    Ok(())
}

/// A payload of one byte, even a zero, comes back.
pub fn record_with_one_byte_is_kept(subject: &Subject<'_>) -> Verdict {
    comes_back(subject, "zero", &record(&[0]));
    comes_back(subject, "last", &record(&[255]));
    Ok(())
}

/// A payload of 1 MiB of every byte value comes back.
pub fn record_of_one_mebibyte_is_kept(subject: &Subject<'_>) -> Verdict {
    subject.needs_room_for((1 << 20) + 1024)?;
    let payload: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    comes_back(subject, "mebibyte", &record(&payload));
    Ok(())
}

/// Bytes too short for a header, even none, are kept and told apart by id like any record.
pub fn bytes_that_are_no_record_are_kept(subject: &Subject<'_>) -> Verdict {
    for bytes in [&b""[..], b"x", b"nineteen bytes long"] {
        let key = subject.key("rubbish");
        let rubbish = rubbish(bytes);
        comes_back(subject, "rubbish", &rubbish);
        assert!(!subject.save(&key, &record(b"new"), Guard::Seen(None)), "it stands there");
        assert!(subject.save(&key, &record(b"new"), Guard::Seen(Some(rubbish.id()))));
        assert_eq!(subject.delete(&[key]), 1);
    }
    Ok(())
}

/// Keys of any text are told apart: Unicode, long, escaped, prefixes of one another.
pub fn odd_keys_are_told_apart(subject: &Subject<'_>) -> Verdict {
    let room = 250 - subject.prefix().len();
    let long = "l".repeat(room);
    let names = [
        "ключ::värde::キー::🗝",
        "e\u{301}",
        "\u{e9}",
        &long,
        &long[..room - 1],
        "a%2Fb",
        "a%2fb",
        "a%252Fb",
        "a/b",
        "a/../b",
        "a",
        "a:",
        "a::",
        "a::b",
        "A::b",
        "..",
        ".",
        "-",
        "'\"`$(x);",
        "star*[?]\\",
        "star",
        "{tag}",
        "{tag",
    ];
    let stored: Vec<(StoredKey, Record)> =
        names.iter().map(|name| (subject.key(name), record(name.as_bytes()))).collect();
    for (key, record) in &stored {
        subject.put(key, record);
    }
    for (key, record) in &stored {
        assert_eq!(subject.load(key).record.as_ref(), Some(record), "{key}");
    }
    let keys: Vec<_> = stored.iter().map(|(key, _)| key.clone()).collect();
    for (gone, key) in keys.iter().enumerate() {
        assert_eq!(subject.delete(std::slice::from_ref(key)), 1, "{key}");
        let left = subject.load_all(&keys, &[]).slots;
        let left = left.iter().filter(|slot| slot.record.is_some()).count();
        assert_eq!(left, keys.len() - gone - 1, "deleting {key} takes it alone");
    }
    Ok(())
}

/// A key and a scope may have the same text; neither touches the other.
pub fn key_and_scope_of_one_text_are_two_things(subject: &Subject<'_>) -> Verdict {
    let (key, scope) = (subject.key("same"), subject.scope("same"));
    assert_eq!(key.as_str(), scope.text());
    let generation = subject.generation(&scope);
    assert_eq!(subject.load(&key), Slot::default());
    let stored = record(b"same");
    subject.put(&key, &stored);
    assert_eq!(subject.loaded_generation(&scope), Some(generation));
    subject.invalidate(std::slice::from_ref(&scope), Severity::Hard);
    assert_eq!(subject.load(&key).record, Some(stored));
    assert_eq!(subject.delete(&[key]), 1);
    assert!(subject.loaded_generation(&scope).is_some_and(|now| now != generation));
    Ok(())
}

/// The last save is what stands, whether longer or shorter than what it replaces.
pub fn save_replaces_what_was_there(subject: &Subject<'_>) -> Verdict {
    let key = subject.key("overwritten");
    for payload in [&b"first"[..], b"", b"a good deal longer than the first", b"x"] {
        comes_back(subject, "overwritten", &record(payload));
    }
    assert_eq!(subject.delete(&[key]), 1);
    Ok(())
}

/// The largest record that the store says it takes, it takes.
pub fn largest_record_is_kept(subject: &Subject<'_>) -> Verdict {
    let bound = subject.needs_a_bound()?;
    comes_back(subject, "largest", &record_of_size(bound));
    Ok(())
}

/// One byte more is an error that says so, and what was there stays.
pub fn record_too_large_is_refused_and_leaves_what_was_there(subject: &Subject<'_>) -> Verdict {
    let bound = subject.needs_a_bound()?;
    let (key, stored) = (subject.key("bounded"), record(b"small"));
    let too_large = rubbish(&vec![b'x'; bound + 4096]);
    let error = subject.try_save(&key, &too_large, None, Guard::Always).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(subject.load(&key), Slot::default());
    subject.put(&key, &stored);
    let error = subject.try_save(&key, &too_large, None, Guard::Always).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(subject.load(&key).record, Some(stored));
    Ok(())
}

/// A deleted record is gone, and deleting says how many there were.
pub fn delete_counts_the_records_that_were_there(subject: &Subject<'_>) -> Verdict {
    let keys: Vec<_> = (0..5).map(|n| subject.key(&format!("deleted::{n}"))).collect();
    for key in &keys[..3] {
        subject.put(key, &record(b"here"));
    }
    assert_eq!(subject.delete(&[]), 0);
    assert_eq!(subject.delete(&keys[1..]), 2);
    assert_eq!(subject.delete(&keys[1..]), 0);
    let left = subject.load_all(&keys, &[]).slots;
    assert!(left[0].record.is_some() && left[1..].iter().all(|slot| *slot == Slot::default()));
    Ok(())
}

/// A key named twice in one delete counts once.
pub fn delete_counts_a_repeated_key_once(subject: &Subject<'_>) -> Verdict {
    let (key, absent) = (subject.key("twice"), subject.key("absent"));
    subject.put(&key, &record(b"here"));
    assert_eq!(subject.delete(&[key.clone(), absent.clone(), key.clone(), absent]), 1);
    assert_eq!(subject.load(&key), Slot::default());
    Ok(())
}

/// Through another handle to the storage the same is there.
pub fn another_handle_sees_what_was_saved_and_deleted(subject: &Subject<'_>) -> Verdict {
    subject.needs_two_handles()?;
    let (key, stored) = (subject.key("shared"), record(b"shared"));
    subject.put(&key, &stored);
    assert_eq!(subject.other().load(&key).record, Some(stored));
    assert_eq!(subject.other().delete(std::slice::from_ref(&key)), 1);
    assert_eq!(subject.load(&key), Slot::default());
    Ok(())
}

/// A thousand keys are loaded and deleted in one call.
pub fn many_keys_are_loaded_and_deleted_at_once(subject: &Subject<'_>) -> Verdict {
    let keys: Vec<_> = (0..1000).map(|n| subject.key(&format!("many::{n}"))).collect();
    let scopes: Vec<_> = (0..100).map(|n| subject.scope(&format!("many::{n}"))).collect();
    let records: Vec<_> = (0..50_u8).map(|n| record(&[n])).collect();
    for (key, record) in keys.iter().step_by(20).zip(&records) {
        subject.put(key, record);
    }
    let generations = subject.generations(&scopes);
    let loaded = subject.load_all(&keys, &scopes);
    let found: Vec<_> = loaded.slots.into_iter().filter_map(|slot| slot.record).collect();
    assert_eq!(found, records);
    assert!(loaded.generations.into_iter().eq(generations.into_iter().map(Some)));
    assert_eq!(subject.delete(&keys), records.len());
    Ok(())
}

/// An operation given up in the middle is done or not done, and the store goes on.
pub fn operation_given_up_is_done_or_not_done(subject: &Subject<'_>) -> Verdict {
    let (key, old) = (subject.key("given up"), record(b"old"));
    for _ in 0..20 {
        subject.put(&key, &old);
        let new = record(b"new");
        let mut saving = subject.store().save(&key, new.clone(), None, Guard::Always, &[]);
        let _ = is_ready(&mut saving);
        drop(saving);
        let found = subject.load(&key).record.expect("one of both is there");
        assert!(found == old || found == new, "half of each");
        let mut deleting = subject.store().delete(std::slice::from_ref(&key));
        let _ = is_ready(&mut deleting);
        drop(deleting);
        let found = subject.load(&key).record;
        assert!(found.is_none_or(|found| found == old || found == new), "half deleted");
    }
    Ok(())
}

/// A store has a name for messages, and says the same about itself each time.
pub fn store_says_what_it_is(subject: &Subject<'_>) -> Verdict {
    assert!(!subject.store().name().is_empty());
    assert_eq!(subject.store().name(), subject.store().name());
    assert_eq!(subject.capabilities(), subject.capabilities());
    Ok(())
}

fn comes_back(subject: &Subject<'_>, name: &str, record: &Record) {
    let key = subject.key(name);
    subject.put(&key, record);
    let slot = subject.load(&key);
    assert!(slot.record.as_ref() == Some(record), "{key} holds {:?}", slot.record);
    assert_eq!((slot.lease, slot.declined), (None, false), "nothing else stands there");
}
