//! Which shard a name falls to: rendezvous hashing, the highest random weight wins.
//!
//! Of Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998). A shard more
//! takes what it now wins and moves nothing else; a shard less leaves its own to the others, evenly.
//!
//! The weights are part of the stored format: with others nothing is found where it was put.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::error::Error;
use crate::store::Store;

/// One of the stores.
pub(super) struct Shard {
    pub(super) name: Box<str>,
    /// Stands for the name in weights and in the cursors of scans.
    pub(super) digest: u64,
    pub(super) store: Arc<dyn Store>,
}

impl Shard {
    pub(super) fn new(name: &str, store: Arc<dyn Store>) -> Self {
        Self { name: name.into(), digest: xxh3_64(name.as_bytes()), store }
    }

    /// The same error, saying which shard it came from.
    pub(super) fn blamed(&self, error: Error) -> Error {
        error.with("shard", &self.name)
    }

    /// 64 bits that look random and follow from the shard's name and a text's digest.
    fn weight(&self, text: u64) -> u64 {
        let mut both = [0; 16];
        both[..8].copy_from_slice(&self.digest.to_le_bytes());
        both[8..].copy_from_slice(&text.to_le_bytes());
        xxh3_64(&both)
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shard({})", self.name)
    }
}

/// The place in `shards` of the one that this text falls to.
pub(super) fn falls_to(shards: &[Shard], text: &str) -> usize {
    let text = xxh3_64(text.as_bytes());
    let heaviest = shards.iter().enumerate().max_by_key(|(_, shard)| shard.weight(text));
    heaviest.map_or(0, |(place, _)| place)
}

/// What of a question is one shard's.
pub(super) struct Share<T> {
    pub(super) items: Vec<T>,
    /// Where each item stands in the whole question.
    places: Vec<usize>,
}

impl<T: Clone> Share<T> {
    /// A share for each shard, in their order.
    pub(super) fn of_each(shards: &[Shard], items: &[T], text: impl Fn(&T) -> &str) -> Vec<Self> {
        let nothing = |_| Self { items: Vec::new(), places: Vec::new() };
        let mut each: Vec<_> = shards.iter().map(nothing).collect();
        for (place, item) in items.iter().enumerate() {
            let share = &mut each[falls_to(shards, text(item))];
            share.items.push(item.clone());
            share.places.push(place);
        }
        each
    }

    /// Puts the answers to its items where they belong in the answer to the whole question.
    pub(super) fn put_back<A>(&self, answers: impl IntoIterator<Item = A>, whole: &mut [A]) {
        for (place, answer) in self.places.iter().zip(answers) {
            whole[*place] = answer;
        }
    }
}

/// What a shard may have no part in.
pub(super) trait Part {
    fn is_empty(&self) -> bool;
}

impl<T> Part for Share<T> {
    fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<A: Part, B: Part> Part for (A, B) {
    fn is_empty(&self) -> bool {
        self.0.is_empty() && self.1.is_empty()
    }
}
