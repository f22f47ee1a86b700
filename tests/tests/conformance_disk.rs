//! The disk store against the conformance suite, by the system's clock and by a manual one.
//!
//! A process opens a folder once, so there is no second handle here; what other processes see is
//! shown in `disk_processes.rs`.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keyedcache::store::{DiskStore, Store};
use keyedcache::{Clock, Moment};
use keyedcache_conformance::Harness;
use tempfile::TempDir;

struct Disk {
    folder: TempDir,
    clock: Option<Clock>,
}

impl Disk {
    fn on(clock: Option<Clock>) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the store");
        Self { folder, clock }
    }

    fn system_clock() -> Self {
        Self::on(None)
    }

    fn manual_clock() -> Self {
        let start = Moment::from_micros(1_700_000_000_000_000);
        Self::on(Some(Clock::manual(start)))
    }
}

impl Harness for Disk {
    fn store(&self) -> Arc<dyn Store> {
        let builder = DiskStore::builder(self.folder.path())
            .size_limit(64 << 20)
            // Many of these run at once on few processors.
            .store_timeout(Duration::from_secs(20));
        let builder = match &self.clock {
            Some(clock) => builder.clock(clock.clone()),
            None => builder,
        };
        Arc::new(builder.open().expect("a new folder opens"))
    }

    fn advance(&self, by: Duration) {
        match &self.clock {
            Some(clock) => clock.advance(by),
            None => thread::sleep(by),
        }
    }

    fn plant_foreign(&self) -> Option<Box<dyn FnOnce() -> bool + '_>> {
        let files = ["notes.txt", "owners/notes.txt"].map(|name| self.folder.path().join(name));
        for file in &files {
            fs::write(file, "mine").expect("the folder takes files");
        }
        Some(Box::new(move || {
            let is_there = |file| fs::read_to_string(file).is_ok_and(|text| text == "mine");
            files.iter().all(is_there)
        }))
    }
}

mod system_clock {
    use super::Disk;

    keyedcache_conformance::suite!(Disk::system_clock());
}

mod manual_clock {
    use super::Disk;

    keyedcache_conformance::suite!(Disk::manual_clock());
}
