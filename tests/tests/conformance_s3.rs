//! The S3 store against the conformance suite, by the system's clock and by a manual one that the
//! server follows.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use keyedcache::store::Store;
use keyedcache::{Clock, Moment};
use keyedcache_conformance::Harness;
use keyedcache_tests::s3::S3Server;

struct Bucket {
    server: S3Server,
    clock: Clock,
}

impl Bucket {
    fn on(clock: Clock) -> Self {
        Self { server: S3Server::on(clock.clone()), clock }
    }

    fn system_clock() -> Self {
        Self::on(Clock::system())
    }

    fn manual_clock() -> Self {
        Self::on(Clock::manual(Moment::from_micros(1_700_000_000_000_000)))
    }

    fn open(&self) -> Arc<dyn Store> {
        let builder = self.server.builder("cache").clock(self.clock.clone());
        // A megabyte is encoded, signed and hashed by unoptimized code.
        Arc::new(builder.max_record(2 << 20).build().expect("the settings are valid"))
    }
}

impl Harness for Bucket {
    fn store(&self) -> Arc<dyn Store> {
        self.open()
    }

    fn again(&self) -> Option<Arc<dyn Store>> {
        Some(self.open())
    }

    fn advance(&self, by: Duration) {
        if self.clock.is_manual() {
            self.clock.advance(by);
        } else {
            thread::sleep(by);
        }
    }

    fn short(&self) -> Duration {
        // Several requests to a server that shares two processors with other tests.
        if self.clock.is_manual() { Duration::from_secs(2) } else { Duration::from_millis(500) }
    }

    fn plant_foreign(&self) -> Option<Box<dyn FnOnce() -> bool + '_>> {
        let names = [
            "notes.txt",
            "cache/notes.txt",
            "cache/records/notes.txt",
            "cache/generations/notes.txt",
        ];
        for name in names {
            self.server.plant(name, &Bytes::from_static(b"mine"), Duration::from_hours(1));
        }
        Some(Box::new(move || {
            let is_there =
                |name| self.server.object(name).is_some_and(|object| &object.body[..] == b"mine");
            names.into_iter().all(is_there)
        }))
    }
}

mod system_clock {
    use super::Bucket;

    keyedcache_conformance::suite!(Bucket::system_clock());
}

mod manual_clock {
    use super::Bucket;

    keyedcache_conformance::suite!(Bucket::manual_clock());
}
