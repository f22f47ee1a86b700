//! What holds while many threads, through every handle, do everything at once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, RwLock};

use keyedcache::record::{Record, RecordId};
use keyedcache::store::{
    Guard, HolderId, Incremented, LeaseToken, Leasing, Release, Severity, StoredKey,
};

use crate::fixtures::{counter, record};
use crate::subject::HOUR;
use crate::{Handle, Subject, Verdict};

const THREADS: usize = 6;
const ROUNDS: usize = 60;

/// One key is never leased to two at a time.
pub fn at_most_one_lease_stands_at_a_time(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let (key, holders, granted) = (subject.key("one"), AtomicUsize::new(0), AtomicUsize::new(0));
    subject.contest(THREADS, |thread, handle| {
        for round in 0..ROUNDS {
            let token = LeaseToken::random(HolderId::random());
            if handle.lease(&key, token, HOUR, handle.id(&key)) != Leasing::Granted {
                continue;
            }
            granted.fetch_add(1, SeqCst);
            assert_eq!(holders.fetch_add(1, SeqCst), 0, "two hold the lease");
            assert!(handle.renew(&key, token, HOUR));
            assert_eq!(holders.fetch_sub(1, SeqCst), 1);
            if (thread + round) % 2 == 0 {
                assert!(handle.save(&key, &record(b"computed"), Guard::Lease(token)));
            } else {
                assert!(handle.release(&key, token, Release::Abandoned));
            }
        }
    });
    assert!(granted.load(SeqCst) > 0);
    Ok(())
}

/// What was computed under a lease that a delete took away is never seen by anyone.
pub fn save_under_a_lost_lease_is_never_visible(subject: &Subject<'_>) -> Verdict {
    subject.needs_leases()?;
    let key = subject.key("never back");
    let (begun, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (refused, seen) = (Mutex::new(HashSet::new()), Mutex::new(HashSet::new()));
    subject.contest(THREADS, |thread, handle| {
        for _ in 0..ROUNDS {
            match thread {
                0 => {
                    begun.fetch_add(1, SeqCst);
                    handle.delete(std::slice::from_ref(&key));
                    done.fetch_add(1, SeqCst);
                }
                1 => seen.lock().expect("no panic").extend(handle.id(&key)),
                _ => {
                    let token = LeaseToken::random(HolderId::random());
                    if handle.lease(&key, token, HOUR, handle.id(&key)) != Leasing::Granted {
                        std::thread::yield_now();
                        continue;
                    }
                    let begun_before = begun.load(SeqCst);
                    std::thread::yield_now();
                    let done_before = done.load(SeqCst);
                    let computed = record(b"computed");
                    let saved = handle.save(&key, &computed, Guard::Lease(token));
                    // A delete that began after the grant and was done before the save.
                    let lost = done_before > begun_before;
                    assert!(!(saved && lost), "saved under a lease that a delete had taken away");
                    if !saved {
                        refused.lock().expect("no panic").insert(computed.id());
                    }
                }
            }
        }
    });
    let (refused, mut seen) =
        (refused.into_inner().unwrap_or_default(), seen.into_inner().unwrap_or_default());
    seen.extend(subject.id(&key));
    assert!(refused.is_disjoint(&seen), "a refused record was seen");
    Ok(())
}

/// A load sees whatever was acknowledged before it began, and nothing older.
pub fn load_sees_all_that_was_acknowledged_before(subject: &Subject<'_>) -> Verdict {
    let key = subject.key("newest");
    let records: Vec<Record> = (0..ROUNDS).map(|n| record(&n.to_le_bytes())).collect();
    let place = |id: RecordId| records.iter().position(|record| record.id() == id);
    let saved = AtomicUsize::new(0);
    subject.put(&key, &records[0]);
    subject.contest(THREADS, |thread, handle| {
        if thread == 0 {
            for (n, record) in records.iter().enumerate().skip(1) {
                handle.put(&key, record);
                saved.store(n, SeqCst);
            }
            return;
        }
        let mut newest = 0;
        while newest < ROUNDS - 1 {
            let at_least = saved.load(SeqCst).max(newest);
            let found = handle.id(&key).expect("it is never deleted");
            newest = place(found).expect("it was saved");
            assert!(newest >= at_least, "loaded save {newest} after save {at_least}");
        }
    });
    Ok(())
}

/// After an invalidation was acknowledged nobody reads the old token.
pub fn replaced_token_is_never_read_again(subject: &Subject<'_>) -> Verdict {
    let scope = subject.scope("struck");
    let retired = RwLock::new(HashSet::new());
    subject.contest(THREADS, |thread, handle| {
        for _ in 0..ROUNDS {
            let gone = retired.read().expect("no panic").clone();
            let found = handle.loaded_generation(&scope);
            assert!(found.is_none_or(|found| !gone.contains(&found.hard)), "loaded");
            let found = handle.generation(&scope);
            assert!(!gone.contains(&found.hard), "an old token is back");
            if thread == 0 {
                handle.invalidate(std::slice::from_ref(&scope), Severity::Hard);
                retired.write().expect("no panic").insert(found.hard);
            }
        }
    });
    Ok(())
}

/// Whatever is done at once to a few keys, only what was accepted is ever seen, and every guard that
/// let a save pass was right about what stood there.
pub fn only_accepted_records_are_ever_seen(subject: &Subject<'_>) -> Verdict {
    let keys: Vec<_> = (0..3).map(|n| subject.key(&format!("mixed::{n}"))).collect();
    let leases = subject.capabilities().leases;
    let logs = subject.contest(THREADS, |thread, handle| {
        let mut worker = Worker::new(handle, thread as u64 + 1, leases);
        for _ in 0..ROUNDS {
            let key = &keys[worker.dice(keys.len())];
            worker.step(key);
        }
        worker.log
    });
    let offered: HashSet<_> = logs.iter().flat_map(|log| &log.accepted).copied().collect();
    let seen: HashSet<_> = logs.iter().flat_map(|log| &log.seen).copied().collect();
    assert!(seen.is_subset(&offered), "a record was seen that no save was accepted of");
    let mut replaced = HashSet::new();
    for id in logs.iter().flat_map(|log| &log.replaced) {
        assert!(replaced.insert(*id), "{id:?} was replaced twice by who had seen it");
    }
    for key in &keys {
        assert!(subject.id(key).is_none_or(|id| offered.contains(&id)));
    }
    Ok(())
}

/// Counting, deleting and setting at once: what one sees under one id only grows.
pub fn count_of_one_record_only_grows(subject: &Subject<'_>) -> Verdict {
    let (key, first) = (subject.key("count"), counter(0));
    subject.put(&key, &first);
    subject.contest(THREADS, |thread, handle| {
        let mut last = (first.id(), 0);
        for round in 0..ROUNDS {
            if thread == 0 && round % 10 == 9 {
                handle.put(&key, &counter(0));
            }
            let Some(seen) = handle.id(&key) else {
                continue;
            };
            if let Incremented::Sum(sum) = handle.increment(&key, seen, 1) {
                assert!(seen != last.0 || sum > last.1, "{sum} after {}", last.1);
                last = (seen, sum);
            }
        }
    });
    Ok(())
}

#[derive(Default)]
struct Log {
    accepted: Vec<RecordId>,
    seen: Vec<RecordId>,
    replaced: Vec<RecordId>,
}

/// One thread of the mixed case: does one thing after another by the roll of seeded dice.
struct Worker<'a> {
    handle: &'a Handle,
    random: u64,
    leases: bool,
    log: Log,
}

impl<'a> Worker<'a> {
    fn new(handle: &'a Handle, seed: u64, leases: bool) -> Self {
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { handle, random, leases, log: Log::default() }
    }

    /// A number below `sides`, by xorshift (Marsaglia, 2003).
    fn dice(&mut self, sides: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % sides as u64).expect("below a usize")
    }

    fn step(&mut self, key: &StoredKey) {
        let seen = self.handle.id(key);
        self.log.seen.extend(seen);
        match self.dice(if self.leases { 6 } else { 4 }) {
            0 => {
                self.save(key, Guard::Always);
            }
            1 if self.save(key, Guard::Seen(seen)) => self.log.replaced.extend(seen),
            1 => (),
            2 => {
                self.handle.delete(std::slice::from_ref(key));
            }
            3 => {
                let life = self.handle.life(None, None);
                seen.map(|seen| self.handle.touch(key, seen, life));
            }
            _ => self.lead(key, seen),
        }
    }

    fn lead(&mut self, key: &StoredKey, seen: Option<RecordId>) {
        let token = LeaseToken::random(HolderId::random());
        match self.handle.lease(key, token, HOUR, seen) {
            Leasing::Granted if self.dice(4) == 0 => {
                self.handle.release(key, token, Release::Abandoned);
            }
            Leasing::Granted => {
                self.save(key, Guard::Lease(token));
            }
            Leasing::Changed(slot) => {
                self.log.seen.extend(slot.record.map(|record| record.id()));
            }
            _ => (),
        }
    }

    fn save(&mut self, key: &StoredKey, guard: Guard) -> bool {
        let record = record(b"mixed");
        let saved = self.handle.save(key, &record, guard);
        if saved {
            self.log.accepted.push(record.id());
        }
        saved
    }
}
