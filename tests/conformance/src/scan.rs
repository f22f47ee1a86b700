//! Listing keys by prefix, page by page.

use std::collections::{BTreeSet, HashSet};

use keyedcache::store::{HolderId, LeaseToken, Leasing, StoredKey};

use crate::fixtures::record;
use crate::subject::HOUR;
use crate::{Subject, Verdict};

/// How many records there are for several pages.
const MANY: usize = 100;

/// Where nothing is stored nothing is found.
pub fn scan_of_nothing_is_empty(subject: &Subject<'_>) -> Verdict {
    assert!(subject.scan(subject.prefix()).is_empty());
    Ok(())
}

/// All pages together hold every key under the prefix, and no other.
pub fn scan_finds_every_key_under_the_prefix(subject: &Subject<'_>) -> Verdict {
    let under = fill(subject, "under::", MANY);
    for name in ["unde", "under", "under:", "undes::1", "UNDER::1", "other::under::1"] {
        subject.put(&subject.key(name), &record(b"beside"));
    }
    let prefix = format!("{}under::", subject.prefix());
    for handle in [subject.handle(0), subject.other()] {
        assert_eq!(handle.scan(&prefix).into_iter().collect::<BTreeSet<_>>(), under);
    }
    Ok(())
}

/// The key that is the prefix itself starts with it.
pub fn scan_finds_the_key_that_is_the_prefix(subject: &Subject<'_>) -> Verdict {
    let key = subject.key("itself");
    subject.put(&key, &record(b"itself"));
    assert!(subject.scan(key.as_str()).contains(&key));
    Ok(())
}

/// Glob characters in a prefix stand for themselves.
pub fn scan_takes_glob_characters_literally(subject: &Subject<'_>) -> Verdict {
    let globs = ["star*", "what?", "set[ab]", "back\\slash", "not[^a]", "brace{a,b}", "dash[a-z]"];
    for beside in ["star", "starfish", "whatx", "seta", "setb", "notb", "bracea", "dashm"] {
        subject.put(&subject.key(&format!("{beside}::1")), &record(b"beside"));
    }
    for glob in globs {
        let key = subject.key(&format!("{glob}::1"));
        subject.put(&key, &record(b"glob"));
        let found = subject.scan(&format!("{}{glob}", subject.prefix()));
        assert_eq!(found.into_iter().collect::<HashSet<_>>(), HashSet::from([key]), "{glob}");
    }
    Ok(())
}

/// Keys of Unicode text are found, and so are those under a prefix that ends in it.
pub fn scan_finds_keys_of_any_text(subject: &Subject<'_>) -> Verdict {
    let names = ["ключ::1", "ключ::\u{10ffff}", "ключ::%20", "ключ::{x}"];
    let keys: BTreeSet<_> = names.iter().map(|name| subject.key(name)).collect();
    for key in &keys {
        subject.put(key, &record(b"text"));
    }
    subject.put(&subject.key("клюв"), &record(b"beside"));
    let found = subject.scan(&format!("{}ключ", subject.prefix()));
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), keys);
    Ok(())
}

/// Neither leases nor generations are keys.
pub fn scan_finds_neither_leases_nor_generations(subject: &Subject<'_>) -> Verdict {
    let under = fill(subject, "", 10);
    let scopes: Vec<_> = (0..10).map(|n| subject.scope(&format!("scope::{n}"))).collect();
    subject.generations(&scopes);
    if subject.capabilities().leases {
        for key in under.iter().take(5) {
            subject.leased(key);
        }
        for n in 0..10 {
            let token = LeaseToken::random(HolderId::random());
            let bare = subject.key(&format!("leased::{n}"));
            assert_eq!(subject.lease(&bare, token, HOUR, None), Leasing::Granted);
        }
    }
    let found = subject.scan(subject.prefix());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), under);
    Ok(())
}

/// What was deleted or has expired is not found.
pub fn scan_finds_no_record_that_is_gone(subject: &Subject<'_>) -> Verdict {
    let kept = fill(subject, "kept::", 20);
    let deleted: Vec<_> = fill(subject, "deleted::", 20).into_iter().collect();
    for n in 0..20 {
        let key = subject.key(&format!("expired::{n}"));
        subject.put_for(&key, &record(b"brief"), Some(subject.short()));
    }
    assert_eq!(subject.delete(&deleted), 20);
    subject.outlast();
    let found = subject.scan(subject.prefix());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), kept);
    Ok(())
}

/// While others write and delete, what stood all the while is found.
pub fn scan_misses_nothing_that_stood_all_the_while(subject: &Subject<'_>) -> Verdict {
    let standing = fill(subject, "standing::", MANY);
    let passing: Vec<_> = fill(subject, "passing::", MANY).into_iter().collect();
    let mut replaced = standing.iter();
    let found = subject.scan_and(subject.prefix(), |page| {
        if page >= MANY {
            return; // enough has been written; from here on the scan has to come to its end
        }
        subject.put(&subject.key(&format!("new::{page}")), &record(b"new"));
        subject.put(&subject.key(&format!("a new first::{page}")), &record(b"new"));
        if let Some(key) = passing.get(page) {
            subject.other().delete(std::slice::from_ref(key));
        }
        if let Some(key) = replaced.next() {
            subject.other().put(key, &record(b"replaced"));
        }
    });
    let found: BTreeSet<_> = found.into_iter().collect();
    assert!(standing.is_subset(&found), "missed: {:?}", standing.difference(&found));
    assert!(found.iter().all(|key| key.as_str().starts_with(subject.prefix())));
    Ok(())
}

/// Even the place where a scan stands may be deleted under it.
pub fn scan_goes_on_when_its_page_is_deleted(subject: &Subject<'_>) -> Verdict {
    let all: Vec<_> = fill(subject, "deleted::", MANY).into_iter().collect();
    let standing = fill(subject, "standing::", 10);
    let found = subject.scan_and(subject.prefix(), |page| {
        if page == 1 {
            subject.delete(&all);
        }
    });
    let found: BTreeSet<_> = found.into_iter().collect();
    assert!(standing.is_subset(&found));
    Ok(())
}

/// A page holds about as many as asked for: a scan need not hold everything at once.
pub fn scan_comes_in_pages(subject: &Subject<'_>) -> Verdict {
    fill(subject, "paged::", MANY);
    let mut pages = 1;
    subject.scan_and(subject.prefix(), |_| pages += 1);
    assert!(pages > 1, "a hundred keys asked for in sevens are more than one page");
    Ok(())
}

fn fill(subject: &Subject<'_>, names: &str, many: usize) -> BTreeSet<StoredKey> {
    let keys: BTreeSet<_> = (0..many).map(|n| subject.key(&format!("{names}{n}"))).collect();
    for key in &keys {
        subject.put(key, &record(b"found"));
    }
    keys
}
