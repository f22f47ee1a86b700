//! The identity of what has no better one: its canonical text.

use std::hash::Hasher;

use crate::key::{KeyEncoder, KeyPart, part_text};

/// The canonical text of a part, as its identity.
///
/// For parts whose equality is not told by their fields one after another (maps and sets have no
/// order of their own). Hashing and comparing write the text each time, which allocates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextIdentity(Box<str>);

impl TextIdentity {
    /// The text of this part.
    #[must_use]
    pub fn of<P: KeyPart + ?Sized>(part: &P) -> Self {
        Self(part_text(part).into())
    }
}

impl KeyPart for TextIdentity {
    type Identity = Self;

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.verbatim(format_args!("{}", self.0));
    }

    fn identity(&self) -> Self {
        self.clone()
    }

    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        self.0.hash_identity(state);
    }

    fn is_identity(&self, identity: &Self) -> bool {
        self == identity
    }
}
