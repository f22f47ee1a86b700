//! The eras that generations count in, where a failover makes everything missing.
//!
//! - A generation is another one in another era: what is stamped with it is missing.
//! - On one server there is one era. In a cluster there is one for each share of the slots that has
//!   [`copies`], on their slot, so that a hit asks no other node for it; that of a generation is the one
//!   of the share its name falls to.
//! - Where there is no era, there are no generations either, until there is one again.

use bytes::Bytes;

use super::slots::slot;
use super::{OnFailover, RedisStore, copies, names};
use crate::record::{Generation, GenerationToken, Scope};

/// The eras of some scopes.
pub(super) struct Eras {
    /// Their names, each once; none where nothing is forgotten.
    pub(super) names: Vec<String>,
    /// Which of them each scope's generation counts in.
    of: Vec<usize>,
}

impl RedisStore {
    /// The eras that the generations of these scopes count in.
    pub(super) fn eras(&self, scopes: &[Scope]) -> Eras {
        let mut eras = Eras { names: Vec::new(), of: Vec::new() };
        if self.on_failover != OnFailover::Forget {
            return eras;
        }
        for scope in scopes {
            let name = if self.has_copies {
                names::era(copies::tag_of(slot(&names::generation(scope))))
            } else {
                names::ERA.to_owned()
            };
            let known = eras.names.iter().position(|other| *other == name);
            eras.of.push(known.unwrap_or(eras.names.len()));
            if known.is_none() {
                eras.names.push(name);
            }
        }
        eras
    }
}

impl Eras {
    /// The generation of the scope at this place, in its era; `found` stands under the names.
    pub(super) fn count(
        &self,
        at: usize,
        generation: Generation,
        found: &[Option<Bytes>],
    ) -> Option<Generation> {
        let Some(&era) = self.of.get(at) else { return Some(generation) };
        // What follows in it says which data it is of.
        let era: [u8; 16] = *found.get(era)?.as_ref()?.first_chunk()?;
        let both = |token: GenerationToken| {
            GenerationToken(std::array::from_fn(|at| token.0[at] ^ era[at]))
        };
        Some(Generation { hard: both(generation.hard), soft: both(generation.soft) })
    }
}
