//! SIGKILL at random moments: the folder opens again, all that can be read is whole, and no lease is
//! stuck. `KEYEDCACHE_KILLS` says how many rounds, 15 unless it does (`tests/kill-300` runs 300), and
//! `KEYEDCACHE_SEED` at which moments.

use std::thread;
use std::time::{Duration, Instant};

use keyedcache::store::{DiskStore, Guard, HolderId, LeaseToken, Leasing, Store};
use keyedcache_tests::child::Child;
use keyedcache_tests::dice::Dice;
use keyedcache_tests::drive::wait;
use keyedcache_tests::stored::{HOUR, is_whole, key, record, slot};

const CHILD: &str = env!("CARGO_BIN_EXE_disk_child");

fn rounds() -> u64 {
    let rounds = std::env::var("KEYEDCACHE_KILLS").ok();
    rounds.map_or(15, |rounds| rounds.parse().expect("KEYEDCACHE_KILLS is a number"))
}

#[test]
fn killed_writers_leave_everything_whole_and_no_lease_stuck() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut dice = Dice::new();
    // One process that stays, as a server's would, while others come and are killed.
    let store = DiskStore::open(path).unwrap();
    let mut seen = 0;
    for round in 0..rounds() {
        let mut writers: Vec<_> = (0..2)
            .map(|_| Child::start(CHILD, &["churn", path, &dice.seed().to_string()]))
            .collect();
        for writer in &mut writers {
            writer.expect("open");
        }
        // The moment is what is random here; nothing is waited for.
        thread::sleep(dice.micros(0..=30_000));
        writers.iter_mut().for_each(Child::kill);
        let killed = Instant::now();
        for number in 0..97 {
            let text = format!("key{number}");
            let stored = key(&text);
            let found = slot(&store, &text).unwrap().record;
            assert!(found.as_ref().is_none_or(is_whole), "round {round}: {text}");
            seen += usize::from(found.is_some());
            let token = LeaseToken::random(HolderId::random());
            let seen = found.map(|found| found.id());
            let leased = wait(store.lease(&stored, token, HOUR, seen)).unwrap();
            assert_eq!(leased, Leasing::Granted, "round {round}: {text}");
            let saved = store.save(&stored, record(round, 700), None, Guard::Lease(token), &[]);
            assert!(wait(saved).unwrap(), "round {round}: {text}");
        }
        assert!(killed.elapsed() < Duration::from_secs(10), "round {round}");
        let reader = Child::start(CHILD, &["check", path]);
        reader.expect("97 whole, 0 broken");
    }
    assert!(seen > 0);
}

#[test]
fn folder_opens_again_when_everybody_has_been_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut dice = Dice::new();
    for round in 0..rounds() {
        let mut writer = Child::start(CHILD, &["churn", path, &dice.seed().to_string()]);
        writer.expect("open");
        thread::sleep(dice.micros(0..=20_000));
        writer.kill();
        let reader = Child::start(CHILD, &["check", path]);
        let line = reader.hear().unwrap();
        assert!(line.ends_with(" 0 broken"), "round {round}: {line}");
        assert!(reader.end().success(), "round {round}");
    }
}
