//! Argument lists, and how a near cache looks one up without owning it.
//!
//! A list is `(A, (B, ()))`: nested, so that two impls serve every length. [`Owned`] is what a near
//! cache keeps, [`Lookup`] what it is asked by; both hash and compare through [`KeyPart`].

use std::fmt;
use std::hash::{Hash, Hasher};

use equivalent::Equivalent;

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
pub trait KeyParts: sealed::Sealed {
    /// The same list, each part as its owned identity.
    type Identities: KeyParts<Identities = Self::Identities> + Eq + Send + Sync + 'static;

    /// Writes each part as one more segment.
    #[doc(hidden)]
    fn encode_each(&self, text: &mut String);

    /// By which of them calls can be forgotten together: bits that tell which, and their text.
    #[doc(hidden)]
    fn scopes(&self) -> Vec<(u64, String)> {
        Vec::new()
    }

    /// The owned identities.
    fn identities(&self) -> Self::Identities;

    /// Hashes each identity.
    fn hash_identities<H: Hasher>(&self, state: &mut H);

    /// Whether each part has the identity that stands in its place.
    fn are_identities(&self, identities: &Self::Identities) -> bool;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl<P: super::KeyPart, Rest: super::KeyParts> Sealed for (P, Rest) {}
    impl<A: super::KeyParts, S: crate::key::Scopes> Sealed for crate::key::Scoped<A, S> {}
}

impl KeyParts for () {
    type Identities = ();

    #[inline]
    fn encode_each(&self, _text: &mut String) {}

    #[inline]
    fn identities(&self) {}

    #[inline]
    fn hash_identities<H: Hasher>(&self, _state: &mut H) {}

    #[inline]
    fn are_identities(&self, _identities: &()) -> bool {
        true
    }
}

impl<P: KeyPart, Rest: KeyParts> KeyParts for (P, Rest) {
    type Identities = (P::Identity, Rest::Identities);

    #[inline]
    fn encode_each(&self, text: &mut String) {
        push_segment(&self.0, text);
        self.1.encode_each(text);
    }

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

/// A list of identities as the key of a map.
pub struct Owned<Identities>(Identities);

impl<Identities> Owned<Identities> {
    /// The key for the arguments in `parts`.
    #[inline]
    pub fn of(parts: &impl KeyParts<Identities = Identities>) -> Self {
        Self(parts.identities())
    }
}

impl<I: KeyParts> Hash for Owned<I> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_identities(state);
    }
}

impl<I: KeyParts<Identities = I>> PartialEq for Owned<I> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0.are_identities(&other.0)
    }
}

impl<I: KeyParts<Identities = I>> Eq for Owned<I> {}

impl<I: KeyParts> fmt::Debug for Owned<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_segments(&self.0, f)
    }
}

/// Borrowed arguments, by which a map of [`Owned`] keys can be asked without an allocation.
pub struct Lookup<'a, P>(pub &'a P);

impl<P: KeyParts> Hash for Lookup<'_, P> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_identities(state);
    }
}

impl<P: KeyParts> Equivalent<Owned<P::Identities>> for Lookup<'_, P> {
    #[inline]
    fn equivalent(&self, key: &Owned<P::Identities>) -> bool {
        self.0.are_identities(&key.0)
    }
}

impl<P: KeyParts> fmt::Debug for Lookup<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_segments(self.0, f)
    }
}

fn write_segments(parts: &impl KeyParts, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = String::new();
    parts.encode_each(&mut text);
    f.write_str(&text)
}
