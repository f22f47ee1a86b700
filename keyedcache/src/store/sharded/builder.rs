//! The list of shards, and what makes it valid.

use std::sync::Arc;

use super::ShardedStore;
use super::place::Shard;
use crate::error::{Error, ErrorKind};
use crate::store::{Capabilities, Store};

/// The list of a [`ShardedStore`]'s shards, in any order.
#[derive(Debug, Default)]
#[must_use]
pub struct ShardedStoreBuilder {
    shards: Vec<Shard>,
}

impl ShardedStoreBuilder {
    /// One more shard, called by the store's own name.
    pub fn store(self, store: Arc<dyn Store>) -> Self {
        let name = store.name().to_owned();
        self.shard(&name, store)
    }

    /// One more shard, of this name: where keys are follows from it, so a store that moves to another
    /// address keeps its keys if it keeps its name. Must be the same in all processes; never a secret.
    pub fn shard(mut self, name: &str, store: Arc<dyn Store>) -> Self {
        self.shards.push(Shard::new(name, store));
        self
    }

    /// The shards as one store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there is none, if two have the same name, or if one stores nothing.
    pub fn build(self) -> Result<ShardedStore, Error> {
        let mut shards = self.shards;
        shards.sort_by(|one, other| one.name.cmp(&other.name));
        if shards.is_empty() {
            return Err(refusal("a sharded store needs at least one shard"));
        }
        if let Some([one, _]) = shards.windows(2).find(|pair| pair[0].name == pair[1].name) {
            let why = "two shards have the same name; name them apart";
            return Err(one.blamed(refusal(why)));
        }
        if let Some(shard) = shards.iter().find(|shard| !shard.store.capabilities().stores) {
            return Err(shard.blamed(refusal("a shard that stores nothing loses its keys")));
        }
        let names: Vec<_> = shards.iter().map(|shard| &*shard.name).collect();
        Ok(ShardedStore {
            name: format!("sharded({})", names.join(", ")),
            capabilities: capabilities(&shards),
            shards,
        })
    }
}

fn refusal(why: &'static str) -> Error {
    Error::new(ErrorKind::Config, "build", why)
}

/// What all can. But others see what is kept if they see any part of it: then a near cache has to ask
/// before each hit whether it has heard of everything.
fn capabilities(shards: &[Shard]) -> Capabilities {
    let least = Capabilities::new();
    let each = || shards.iter().map(|shard| shard.store.capabilities());
    Capabilities {
        stores: each().all(|one| one.stores),
        leases: each().all(|one| one.leases),
        pushes: each().all(|one| one.pushes),
        shared: each().any(|one| one.shared),
        max_record: each().filter_map(|one| one.max_record).min(),
        // What the slowest needs.
        store_timeout: each().map(|one| one.store_timeout).max().unwrap_or(least.store_timeout),
        lease: each().map(|one| one.lease).max().unwrap_or(least.lease),
    }
}
