//! A hit and a save of 1 kB of bytes in the disk store, against bare LMDB through `heed`, opened with
//! the same flags and keeping records of the same size under keys of the same length.

use std::hint::black_box;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions};
use keyedcache::{Cache, Key};
use keyedcache_benches::{Contest, print_table, print_target, time};

const KEYS: usize = 200;
const VALUE: usize = 1_024;
/// What a record has besides: a head, a checksum, two generations.
const HEADER: usize = 80 + 8 + 2 * 48;

const BARE: &str = "bare heed";
const FUNCTION: &str = "keyedcache #[cached(near = 0)]";
const VALUES: &str = "keyedcache Cache::get / set";

type Failure = Box<dyn std::error::Error>;

#[keyedcache::cached(timeout = 600, near = 0, name = "f")]
fn bytes(number: usize) -> Vec<u8> {
    value(number)
}

fn value(number: usize) -> Vec<u8> {
    number.to_le_bytes().into_iter().cycle().take(VALUE).collect()
}

fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    // One for each contender, so that all keep as many records.
    let open = |name: &str| {
        let url = format!("disk:{}", folder.path().join(name).display());
        Cache::builder().url(&url).near(0).build()
    };
    let (answers, cache) = (open("answers")?, open("values")?);
    answers.register("default")?;
    let bare = Bare::open(&folder.path().join("bare"))?;
    let keys: Vec<Key> = (0..KEYS).map(|number| keyedcache::cache_key!("v", number)).collect();
    let (text, record) = (stored, vec![7; VALUE + HEADER]);
    let values: Vec<_> = (0..KEYS).map(value).collect();
    for (number, key) in keys.iter().enumerate() {
        bytes(number);
        cache.set(key.clone(), &values[number]).wait()?;
        bare.put(&text(number), &record)?;
    }

    let texts: Vec<_> = (0..KEYS).map(text).collect();
    let hits = Contest::new()
        .enter(BARE, || time(KEYS, |number| drop(black_box(bare.get(&texts[number])))))
        .enter(FUNCTION, || time(KEYS, |number| drop(black_box(bytes(black_box(number))))))
        .enter(VALUES, || {
            let get = |number: usize| cache.get::<Vec<u8>>(keys[number].clone()).wait();
            time(KEYS, |number| drop(black_box(get(number))))
        })
        .run(201);
    print_table("disk hit of 1 kB, ns (medians of interleaved rounds)", &[("1 thread", &hits)]);
    println!();
    print_target("#[cached] / bare heed get", hits.ratio(FUNCTION, BARE), 3.0);
    print_target("Cache::get / bare heed get", hits.ratio(VALUES, BARE), 3.0);

    let saves = Contest::new()
        .enter(BARE, || time(KEYS / 10, |number| drop(bare.put(&texts[number], &record))))
        .enter(VALUES, || {
            let set = |number: usize| cache.set(keys[number].clone(), &values[number]).wait();
            time(KEYS / 10, |number| drop(black_box(set(number))))
        })
        .run(101);
    print_table("disk save of 1 kB, ns (medians of interleaved rounds)", &[("1 thread", &saves)]);
    println!();
    print_target("Cache::set / bare heed put", saves.ratio(VALUES, BARE), 2.0);
    for cache in [answers, cache] {
        let stats = cache.stats();
        println!("  store hits counted: {}, errors: {}", stats.store_hits, stats.store_errors);
    }
    Ok(())
}

/// A key as long as those of the store.
fn stored(number: usize) -> String {
    format!("kkc:0:v::{number}")
}

struct Bare {
    env: Env,
    tree: Database<'static, Bytes, Bytes>,
}

impl Bare {
    fn open(folder: &Path) -> Result<Self, Failure> {
        std::fs::create_dir(folder)?;
        let mut options = EnvOpenOptions::new();
        options.map_size(1 << 30);
        let flags = EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC;
        // SAFETY: the folder is new and in nobody else's hands.
        #[allow(unsafe_code)]
        let env = unsafe { options.flags(flags).open(folder)? };
        let snapshot = env.read_txn()?;
        let tree = env
            .open_databases_and_commit(snapshot, |opener, snapshot| {
                let opened = opener.open_database::<Bytes, Bytes>(snapshot, None);
                opened.map(CommitOrAbort::<_, ()>::Commit)
            })?
            .unwrap_commit()
            .ok_or("the unnamed database always exists")?;
        Ok(Self { env, tree })
    }

    fn get(&self, key: &str) -> heed::Result<Option<Vec<u8>>> {
        let txn = self.env.read_txn()?;
        Ok(self.tree.get(&txn, key.as_bytes())?.map(<[u8]>::to_vec))
    }

    fn put(&self, key: &str, record: &[u8]) -> heed::Result<()> {
        let mut txn = self.env.write_txn()?;
        self.tree.put(&mut txn, key.as_bytes(), record)?;
        txn.commit()
    }
}
