//! Argument lists, and how a near cache looks one up without owning it.
//!
//! A list is `(A, (B, ()))`: nested, so that two impls serve every length. What a near cache keeps are
//! its [identities](KeyParts::Identities), and it is asked by the list itself, which borrows.

use std::hash::Hasher;

use super::{KeyPart, push_segment};

/// A list of parts: `()`, or `(part, list)`.
///
/// ```
/// use keyedcache::key::KeyParts;
///
/// let (city, radius) = ("Bern", 5_u32);
/// let borrowed = (&city, (&radius, ()));
/// let owned: (Box<str>, (u32, ())) = borrowed.identities();
/// assert!(borrowed.are_identities(&owned));
/// ```
pub trait KeyParts: Segments {
    /// The same list, each part as its owned identity.
    type Identities: KeyParts<Identities = Self::Identities> + Send + Sync + 'static;

    /// The owned identities.
    fn identities(&self) -> Self::Identities;

    /// Hashes each identity.
    fn hash_identities<H: Hasher>(&self, state: &mut H);

    /// Whether each part has the identity that stands in its place.
    fn are_identities(&self, identities: &Self::Identities) -> bool;
}

/// A list of parts of which only texts are wanted, behind a pointer: what goes on to a store is
/// compiled once, and not for every list.
pub trait Segments: sealed::Sealed {
    /// Writes each part as one more segment.
    #[doc(hidden)]
    fn encode_each(&self, text: &mut String);

    /// By which of them calls can be forgotten together: bits that tell which, and their text.
    #[doc(hidden)]
    fn scopes(&self) -> Vec<(u64, String)> {
        Vec::new()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl<P: super::KeyPart, Rest: super::Segments> Sealed for (P, Rest) {}
    impl<A: super::Segments, S: crate::key::Scopes> Sealed for crate::key::Scoped<A, S> {}
}

impl Segments for () {
    #[inline]
    fn encode_each(&self, _text: &mut String) {}
}

impl KeyParts for () {
    type Identities = ();

    #[inline]
    fn identities(&self) {}

    #[inline]
    fn hash_identities<H: Hasher>(&self, _state: &mut H) {}

    #[inline]
    fn are_identities(&self, _identities: &()) -> bool {
        true
    }
}

impl<P: KeyPart, Rest: Segments> Segments for (P, Rest) {
    #[inline]
    fn encode_each(&self, text: &mut String) {
        push_segment(&self.0, text);
        self.1.encode_each(text);
    }
}

impl<P: KeyPart, Rest: KeyParts> KeyParts for (P, Rest) {
    type Identities = (P::Identity, Rest::Identities);

    #[inline]
    fn identities(&self) -> Self::Identities {
        (self.0.identity(), self.1.identities())
    }

    #[inline]
    fn hash_identities<H: Hasher>(&self, state: &mut H) {
        self.0.hash_identity(state);
        self.1.hash_identities(state);
    }

    #[inline]
    fn are_identities(&self, identities: &Self::Identities) -> bool {
        self.0.is_identity(&identities.0) && self.1.are_identities(&identities.1)
    }
}
