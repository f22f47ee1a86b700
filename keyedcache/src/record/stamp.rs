//! Stamps: the generations a record was computed under, kept as they stand on the wire.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::record::{Generation, GenerationToken, ScopeId};

/// The generations of all of a record's scopes, as read before its computation began.
///
/// One that was read from a record is a slice of the record's bytes: no allocation, no copy, and
/// it keeps those bytes alive. Looking a scope up is a walk over the few there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stamp(Bytes);

/// Bytes of one entry: the scope's id, its hard and its soft token.
pub(super) const ENTRY: usize = 48;

impl Stamp {
    /// The stamp of no scopes.
    #[must_use]
    pub const fn new() -> Self {
        Self(Bytes::new())
    }

    /// The stamp that stands in `entries`, whose length is a multiple of [`ENTRY`].
    pub(super) fn from_entries(entries: Bytes) -> Self {
        debug_assert_eq!(entries.len() % ENTRY, 0);
        Self(entries)
    }

    /// Its entries, [`ENTRY`] bytes each.
    pub(super) fn entries(&self) -> &[u8] {
        &self.0
    }

    /// The same, borrowed.
    pub(crate) fn in_place(&self) -> StampInPlace<'_> {
        StampInPlace(&self.0)
    }

    /// The generation of this scope; `None` if the record does not belong to it.
    #[must_use]
    pub fn get(&self, scope: &ScopeId) -> Option<Generation> {
        self.in_place().get(scope)
    }

    /// Each scope with its generation, in the order they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ScopeId, Generation)> + '_ {
        self.in_place().iter()
    }

    /// How many scopes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.in_place().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A stamp where it stands, in bytes of somebody else's.
#[derive(Clone, Copy)]
pub(crate) struct StampInPlace<'a>(&'a [u8]);

impl<'a> StampInPlace<'a> {
    /// The stamp that stands in `entries`, whose length is a multiple of [`ENTRY`].
    pub(super) fn of(entries: &'a [u8]) -> Self {
        debug_assert_eq!(entries.len() % ENTRY, 0);
        Self(entries)
    }

    /// As [`Stamp::get`].
    pub(crate) fn get(self, scope: &ScopeId) -> Option<Generation> {
        self.iter().find(|(id, _)| id == scope).map(|(_, generation)| generation)
    }

    /// As [`Stamp::len`].
    pub(crate) fn len(self) -> usize {
        self.0.len() / ENTRY
    }

    fn iter(self) -> impl ExactSizeIterator<Item = (ScopeId, Generation)> + 'a {
        self.0.chunks_exact(ENTRY).map(|entry| {
            let token = |from: usize| {
                let mut token = [0; 16];
                token.copy_from_slice(&entry[from..from + 16]);
                token
            };
            let (hard, soft) = (GenerationToken(token(16)), GenerationToken(token(32)));
            (ScopeId(token(0)), Generation { hard, soft })
        })
    }
}

impl FromIterator<(ScopeId, Generation)> for Stamp {
    fn from_iter<I: IntoIterator<Item = (ScopeId, Generation)>>(scopes: I) -> Self {
        let scopes = scopes.into_iter();
        let mut entries = BytesMut::with_capacity(scopes.size_hint().0.saturating_mul(ENTRY));
        for (scope, generation) in scopes {
            entries.put_slice(&scope.0);
            entries.put_slice(&generation.hard.0);
            entries.put_slice(&generation.soft.0);
        }
        Self(entries.freeze())
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamp_tells_the_generation_of_each_of_its_scopes_and_of_no_other() {
        let scopes: Vec<_> = (1..=5).map(|n| (ScopeId([n; 16]), Generation::random())).collect();
        let stamp: Stamp = scopes.iter().copied().collect();

        assert_eq!(stamp.len(), 5);
        assert_eq!(stamp.iter().collect::<Vec<_>>(), scopes);
        for (scope, generation) in &scopes {
            assert_eq!(stamp.get(scope), Some(*generation));
        }
        assert_eq!(stamp.get(&ScopeId([9; 16])), None);
        assert!(Stamp::new().is_empty());
    }
}
