//! The memory store against the conformance suite, by the system's clock and by a manual one.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keyedcache::store::{MemoryStore, Store};
use keyedcache::{Clock, Moment};
use keyedcache_conformance::Harness;

struct SystemClock;

impl Harness for SystemClock {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new())
    }

    fn advance(&self, by: Duration) {
        thread::sleep(by);
    }
}

struct ManualClock(Clock);

impl ManualClock {
    fn new() -> Self {
        Self(Clock::manual(Moment::from_micros(1_700_000_000_000_000)))
    }
}

impl Harness for ManualClock {
    fn store(&self) -> Arc<dyn Store> {
        let store = MemoryStore::builder().clock(self.0.clone()).shards(3).build();
        Arc::new(store.expect("three shards divide the default room"))
    }

    fn advance(&self, by: Duration) {
        self.0.advance(by);
    }

    /// So long that no case can pass by real time alone.
    fn short(&self) -> Duration {
        Duration::from_secs(20)
    }
}

mod system_clock {
    use super::SystemClock;

    keyedcache_conformance::suite!(SystemClock);
}

mod manual_clock {
    use super::ManualClock;

    keyedcache_conformance::suite!(ManualClock::new());
}
