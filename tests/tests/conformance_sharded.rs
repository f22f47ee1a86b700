//! Sharded stores against the conformance suite: three in memory, by the system's clock and by a
//! manual one, three folders, and three Redis servers.
//!
//! The second handle is another list of the same shards, in another order, as another process may
//! have it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keyedcache::store::{DiskStore, MemoryStore, RedisStore, ShardedStore, Store};
use keyedcache::{Clock, Moment};
use keyedcache_conformance::Harness;
use keyedcache_tests::redis::{Reply, Server};
use keyedcache_tests::watchdog::wait_until;
use tempfile::TempDir;

const SHARDS: [&str; 3] = ["north", "south", "west"];

/// Three shards and, where they have one, their folder and their clock.
struct Sharded {
    shards: [Arc<dyn Store>; 3],
    folder: Option<TempDir>,
    clock: Option<Clock>,
}

impl Sharded {
    fn memory() -> Self {
        let shards = SHARDS.map(|_| Arc::new(MemoryStore::new()) as Arc<dyn Store>);
        Self { shards, folder: None, clock: None }
    }

    fn manual_clock() -> Self {
        let clock = Clock::manual(Moment::from_micros(1_700_000_000_000_000));
        let shards = SHARDS.map(|_| {
            let store = MemoryStore::builder().clock(clock.clone()).build();
            Arc::new(store.expect("the defaults")) as Arc<dyn Store>
        });
        Self { shards, folder: None, clock: Some(clock) }
    }

    fn disk() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the shards");
        let shards = SHARDS.map(|name| {
            let store = DiskStore::builder(folder.path().join(name))
                .size_limit(64 << 20)
                // Many of these run at once on few processors.
                .store_timeout(Duration::from_secs(20));
            Arc::new(store.open().expect("a new folder opens")) as Arc<dyn Store>
        });
        Self { shards, folder: Some(folder), clock: None }
    }

    fn listed(&self, order: [usize; 3]) -> Arc<dyn Store> {
        let list = order.into_iter().fold(ShardedStore::builder(), |list, place| {
            list.shard(SHARDS[place], Arc::clone(&self.shards[place]))
        });
        Arc::new(list.build().expect("three shards of three names"))
    }
}

impl Harness for Sharded {
    fn store(&self) -> Arc<dyn Store> {
        self.listed([0, 1, 2])
    }

    fn again(&self) -> Option<Arc<dyn Store>> {
        Some(self.listed([2, 0, 1]))
    }

    fn advance(&self, by: Duration) {
        match &self.clock {
            Some(clock) => clock.advance(by),
            None => thread::sleep(by),
        }
    }

    fn plant_foreign(&self) -> Option<Box<dyn FnOnce() -> bool + '_>> {
        let folder = self.folder.as_ref()?.path();
        let files: Vec<PathBuf> =
            SHARDS.iter().map(|name| folder.join(name).join("notes.txt")).collect();
        for file in &files {
            fs::write(file, "mine").expect("the folder takes files");
        }
        Some(Box::new(move || {
            let is_there = |file| fs::read_to_string(file).is_ok_and(|text| text == "mine");
            files.iter().all(is_there)
        }))
    }
}

mod memory {
    use super::Sharded;

    keyedcache_conformance::suite!(Sharded::memory());
}

mod manual_clock {
    use super::Sharded;

    keyedcache_conformance::suite!(Sharded::manual_clock());
}

/// Three servers, which each handle has connections of its own to.
struct Servers([Server; 3]);

impl Servers {
    fn start() -> Self {
        Self(SHARDS.map(|_| Server::start()))
    }

    fn listed(&self, order: [usize; 3]) -> Arc<dyn Store> {
        let open = |place: usize| -> Arc<dyn Store> {
            let store = RedisStore::builder(&self.0[place].url())
                // Many of these run at once on few processors.
                .timeout(Duration::from_secs(20))
                .connect_timeout(Duration::from_secs(10))
                .near_trust(Duration::from_secs(20));
            Arc::new(store.build().expect("the URL is right"))
        };
        let list = ShardedStore::new(order.map(open)).expect("three servers of three ports");
        wait_until("every shard is trusted", || list.trusted());
        Arc::new(list)
    }
}

impl Harness for Servers {
    fn store(&self) -> Arc<dyn Store> {
        self.listed([0, 1, 2])
    }

    fn again(&self) -> Option<Arc<dyn Store>> {
        Some(self.listed([2, 0, 1]))
    }

    fn advance(&self, by: Duration) {
        thread::sleep(by);
    }

    fn pushes_travel(&self) -> bool {
        true
    }

    fn plant_foreign(&self) -> Option<Box<dyn FnOnce() -> bool + '_>> {
        for server in &self.0 {
            server.command(&["SET", "foreign", "mine"]);
            server.command(&["RPUSH", "conformance-list", "mine"]);
        }
        Some(Box::new(|| {
            let mine = Reply::Text(b"mine".to_vec());
            self.0.iter().all(|server| {
                server.command(&["GET", "foreign"]) == mine
                    && server.command(&["LINDEX", "conformance-list", "0"]) == mine
            })
        }))
    }
}

mod redis {
    use super::Servers;

    keyedcache_conformance::suite!(Servers::start());
}

mod disk {
    use super::Sharded;

    keyedcache_conformance::suite!(Sharded::disk());
}
