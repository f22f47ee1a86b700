//! The settings of a memory store, and what makes them valid.

use parking_lot::{Mutex, RwLock};

use super::MemoryStore;
use super::shard::{KEY_ROOM, Shard};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::store::audience::Audience;

/// Settings of a [`MemoryStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryStoreBuilder {
    clock: Clock,
    max_bytes: usize,
    shards: usize,
}

impl MemoryStoreBuilder {
    /// What its times are measured by; by default the system's clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How many bytes its records and their keys may take; 64 MiB by default.
    ///
    /// Divided evenly among the shards, so the largest record is a shard's part less 1 KiB: by
    /// default, 8 MiB less 1 KiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many locks its keys are divided among; 8 by default.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// The store, empty.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there are no shards, or fewer than 2 KiB for each.
    pub fn build(self) -> Result<MemoryStore, Error> {
        if self.shards == 0 {
            return Err(refusal("a memory store needs at least one shard"));
        }
        if self.max_bytes / self.shards < 2 * KEY_ROOM {
            return Err(refusal("a memory store needs at least 2 KiB for each shard")
                .with("max_bytes", self.max_bytes)
                .with("shards", self.shards));
        }
        Ok(self.assemble())
    }

    /// The store of settings known to be valid.
    pub(super) fn assemble(self) -> MemoryStore {
        let room = self.max_bytes / self.shards;
        MemoryStore {
            clock: self.clock,
            max_record: room - KEY_ROOM,
            shards: (0..self.shards).map(|_| Mutex::new(Shard::new(room))).collect(),
            generations: RwLock::default(),
            audience: Audience::default(),
        }
    }
}

fn refusal(why: &'static str) -> Error {
    Error::new(ErrorKind::Config, "build", why)
}

impl Default for MemoryStoreBuilder {
    fn default() -> Self {
        Self { clock: Clock::system(), max_bytes: 64 << 20, shards: 8 }
    }
}
