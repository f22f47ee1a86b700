//! What loads and saves cost beside bare LMDB.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::tests::{key, record, wait};
use super::{DiskStore, environment, writing};
use crate::record::{Record, Scope};
use crate::store::{Guard, Store, StoredKey};

/// Prints what loads and saves cost beside bare LMDB:
/// `cargo test --release -p keyedcache --lib costs -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn costs() {
    const RECORDS: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let texts: Vec<_> = (0..RECORDS).map(|n| format!("app:1:product::{n}")).collect();
    let keys: Vec<_> = texts.iter().map(|text| key(text)).collect();
    for key in &keys {
        wait(store.save(key, record(1000), Some(Duration::from_mins(5)), Guard::Always, &[]))
            .unwrap();
    }
    let scopes = [Scope::new("cache"), Scope::new("function")];
    wait(store.generations(&scopes)).unwrap();
    let bare = tempfile::tempdir().unwrap();
    let (env, tree) = environment::open(bare.path(), 1 << 30).unwrap();
    let value = vec![7_u8; 1000];
    for text in &texts {
        let mut txn = env.write_txn().unwrap();
        tree.put(&mut txn, text.as_bytes(), &value).unwrap();
        txn.commit().unwrap();
    }
    let sample = record(1000);
    let noop = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(noop);
    let time = |name: &str, count: usize, body: &mut dyn FnMut(usize)| {
        let mut rounds: Vec<_> = (0..9)
            .map(|_| {
                let start = Instant::now();
                (0..count).for_each(|n| body(n * 7919 % RECORDS));
                start.elapsed().as_nanos() as usize / count
            })
            .collect();
        rounds.sort_unstable();
        println!("{name:32} {:>7} ns", rounds[4]);
    };
    time("bare get", 100_000, &mut |n| {
        let txn = env.read_txn().unwrap();
        let got = tree.get(&txn, texts[n].as_bytes()).unwrap();
        std::hint::black_box(Bytes::copy_from_slice(got.unwrap()));
    });
    time("load, 2 generations", 100_000, &mut |n| {
        let keys = std::slice::from_ref(&keys[n]);
        let mut pending = store.load(keys, &scopes);
        assert!(pending.as_mut().poll(&mut context).is_ready());
    });
    time("trusted", 1_000_000, &mut |_| {
        assert!(std::hint::black_box(&store).trusted());
    });
    let mut put = |n: usize| {
        let mut txn = env.write_txn().unwrap();
        tree.put(&mut txn, texts[n].as_bytes(), &value).unwrap();
        txn.commit().unwrap();
    };
    time("bare put", 5_000, &mut put);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut save_here = |n: usize| {
        let ttl = Some(Duration::from_mins(5));
        let mut saved = store.save(&keys[n], sample.clone(), ttl, Guard::Always, &[]);
        assert!(saved.as_mut().poll(&mut std::task::Context::from_waker(noop)).is_ready());
    };
    time("save", 5_000, &mut save_here);
    // In turns, so that what else the machine does is in both.
    let (mut puts, mut saves) = (Vec::new(), Vec::new());
    for n in (0..RECORDS * 5).map(|n| n * 7919 % RECORDS) {
        puts.push(took(|| put(n)));
        saves.push(took(|| save_here(n)));
    }
    println!("{:32} {:>7} ns", "bare put, median of single ones", median(puts));
    println!("{:32} {:>7} ns", "save, median of single ones", median(saves));
    time("2 threads, 1000 saves of each", 1, &mut |_| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| save_all(&store, &keys[..1000], &sample));
            }
        });
    });
    time("save, its transaction alone", 5_000, &mut |n| {
        let mut writing = writing::Writing::begin(&store.opening).unwrap();
        let ttl = Some(Duration::from_mins(5));
        let key = &keys[n];
        assert!(writing.save(key, &sample, ttl, Guard::Always).unwrap());
        writing.commit().unwrap();
    });
    time("64 saves at once", 100, &mut |n| {
        let ttl = Some(Duration::from_mins(5));
        let saves: Vec<_> = (0..64)
            .map(|m| {
                let key = &keys[(n + m * 97) % RECORDS];
                let mut save = store.save(key, sample.clone(), ttl, Guard::Always, &[]);
                let is_done = save.as_mut().poll(&mut context).is_ready();
                (save, is_done)
            })
            .collect();
        for (save, _) in saves.into_iter().filter(|(_, is_done)| !is_done) {
            assert!(runtime.block_on(save).unwrap());
        }
    });
}

fn save_all(store: &DiskStore, keys: &[StoredKey], sample: &Record) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for key in keys {
        let ttl = Some(Duration::from_mins(5));
        assert!(
            runtime.block_on(store.save(key, sample.clone(), ttl, Guard::Always, &[])).unwrap()
        );
    }
}

fn took(body: impl FnOnce()) -> u128 {
    let start = Instant::now();
    body();
    start.elapsed().as_nanos()
}

fn median(mut times: Vec<u128>) -> u128 {
    times.sort_unstable();
    times[times.len() / 2]
}
