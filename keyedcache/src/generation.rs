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
/// for the record.
pub(crate) fn standing(
    stamp: StampInPlace<'_>,
    scopes: &[Scope],
    current: &[Option<Generation>],
) -> Standing {
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
