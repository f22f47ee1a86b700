//! The sharded store: several stores as one, each key on one of them.
//!
//! | file | owns |
//! |---|---|
//! | `builder` | the list of shards, and what makes it valid |
//! | `place` | which shard a name falls to |
//! | `together` | several shards asked at once, and what they answer as a whole |
//! | `operations` | which shards each operation asks |
//!
//! Invariants:
//!
//! - Where something is depends on its text and on the shards' names, and on nothing else: whoever
//!   has the same list, in whatever order, finds it.
//! - A key's record and lease are on the shard the key falls to, a scope's generations on the one the
//!   scope's text falls to.
//! - Nobody stands in for a shard that fails: what another one had in its place would be read by
//!   some and not by others, and be old when the shard is back.

mod builder;
mod operations;
mod place;
#[cfg(test)]
mod tests;
mod together;

use std::fmt;
use std::sync::Arc;

pub use self::builder::ShardedStoreBuilder;
use self::place::Shard;
use super::{Capabilities, Store};
use crate::error::Error;

/// Several stores as one: each key on one of them, by rendezvous hashing.
///
/// Every process needs the same list, in any order: places follow from the shards' *names*, which by
/// default are the stores' own (`redis://10.0.0.2:6379/0`). A load asks all shards that are concerned
/// at once, so a hit takes one round trip, or as long as the slowest of them.
///
/// - **A list that changes.** One shard more, as the `n`th, takes one part in `n` of the keys, evenly
///   from all others; nothing else moves: from three to four a quarter, from four to five a fifth.
///   The same is so of scopes: a function whose scope moves is computed anew, and so is everything
///   if the scope of the whole cache does. While some processes have the old list and some the new,
///   they do not hear of each other's invalidations of what moved; so change it for all at once, and
///   empty a shard before it comes back into a list.
/// - **A shard that is down** is unavailable, and named in the error; its keys are not looked for
///   elsewhere. Calls of functions whose keys or scopes fall to it are computed and not stored, and
///   invalidations of these scopes are errors. The scope of a whole cache falls to one shard too:
///   while that one is down nothing is served. Choose servers that stay up, or a Redis Cluster.
/// - **Time** is that of the shard whose name sorts first, for all records: ages are compared between
///   processes, so one clock must rule. How long a record is kept is measured by its own shard.
/// - **What it can** is what all shards can: it pushes changes if all do, and the near cache is
///   trusted while all are. The largest record is the smallest of theirs.
///
/// ```
/// use std::sync::Arc;
/// use keyedcache::store::{MemoryStore, ShardedStore, Store};
///
/// let store = ShardedStore::builder()
///     .shard("north", Arc::new(MemoryStore::new()))
///     .shard("south", Arc::new(MemoryStore::new()))
///     .build()?;
/// assert_eq!(store.name(), "sharded(north, south)");
/// # Ok::<(), keyedcache::Error>(())
/// ```
pub struct ShardedStore {
    name: String,
    capabilities: Capabilities,
    /// Sorted by name; at least one.
    shards: Vec<Shard>,
}

impl ShardedStore {
    /// These stores as one, each by its own name.
    ///
    /// # Errors
    ///
    /// As [`ShardedStoreBuilder::build`].
    pub fn new(stores: impl IntoIterator<Item = Arc<dyn Store>>) -> Result<Self, Error> {
        stores.into_iter().fold(Self::builder(), ShardedStoreBuilder::store).build()
    }

    /// A list of shards to be filled.
    pub fn builder() -> ShardedStoreBuilder {
        ShardedStoreBuilder::default()
    }

    /// The name of the shard that a text falls to: a stored key's, or a scope's.
    #[must_use]
    pub fn shard_of(&self, text: &str) -> &str {
        &self.shards[place::falls_to(&self.shards, text)].name
    }

    /// The names of all shards, sorted.
    pub fn shards(&self) -> impl Iterator<Item = &str> {
        self.shards.iter().map(|shard| &*shard.name)
    }
}

impl fmt::Debug for ShardedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardedStore")
            .field("shards", &self.shards().collect::<Vec<_>>())
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}
