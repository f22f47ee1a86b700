//! Generations and stamps: whether a record is still of the generations its scopes bear now.
//!
//! Tokens, not counters: a lost counter would start again and make old records current.

use crate::policy::Standing;
use crate::record::{Generation, Scope, Stamp, StampInPlace};

/// The stamp of a record that is computed from now on; `None` while a scope bears no generation.
pub(crate) fn stamp(scopes: &[Scope], current: &[Option<Generation>]) -> Option<Stamp> {
    // Told apart first: what collects into an option does not know how much it will collect.
    let is_whole = current.iter().all(Option::is_some);
    let stamped = scopes.iter().zip(current.iter().copied());
    is_whole
        .then(|| stamped.map(|(scope, now)| (scope.id(), now.expect("all are there"))).collect())
}

/// How a stamp stands against what its scopes bear now.
///
/// A scope that bears nothing, or that the stamp does not know, means invalidated: nothing vouches
/// for the record. So does one that only the stamp knows: whoever asks, of another version of the
/// program it may be, cannot tell what became of it.
pub(crate) fn standing(
    stamp: StampInPlace<'_>,
    scopes: &[Scope],
    current: &[Option<Generation>],
) -> Standing {
    if stamp.len() != scopes.len() || current.len() != scopes.len() {
        return Standing::Invalidated;
    }
    let mut standing = Standing::Current;
    for (scope, now) in scopes.iter().zip(current) {
        match (stamp.get(&scope.id()), now) {
            (Some(then), Some(now)) if then.hard == now.hard => {
                if then.soft != now.soft {
                    standing = Standing::SoftlyInvalidated;
                }
            }
            _ => return Standing::Invalidated,
        }
    }
    standing
}

/// 32 bits that tell these generations from others, for [`LeaseToken`](crate::store::LeaseToken).
pub(crate) fn digest(current: &[Option<Generation>]) -> u32 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    for generation in current.iter().flatten() {
        hasher.update(&generation.hard.0);
        hasher.update(&generation.soft.0);
    }
    #[allow(clippy::cast_possible_truncation)] // its lower half is as good as any
    {
        hasher.digest() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stands_for_who_knows_all_its_scopes_and_is_told_of_each() {
        let scopes: Vec<_> = ["a", "b", "c"].map(|name| Scope::new(name.to_owned())).into();
        let current: Vec<_> = scopes.iter().map(|_| Some(Generation::random())).collect();
        let stamp = |count| stamp(&scopes[..count], &current[..count]).expect("all are there");
        let standing_of = |stamped: usize, asked: usize, told: usize| {
            standing(stamp(stamped).in_place(), &scopes[..asked], &current[..told])
        };
        assert_eq!(standing_of(3, 3, 3), Standing::Current);
        assert_eq!(standing_of(2, 3, 3), Standing::Invalidated, "one is not in the stamp");
        assert_eq!(standing_of(3, 2, 2), Standing::Invalidated, "one is in the stamp only");
        assert_eq!(standing_of(3, 3, 2), Standing::Invalidated, "of one nothing was told");
    }
}
