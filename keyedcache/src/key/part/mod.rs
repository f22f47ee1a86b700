//! What can be a part of a key: the trait, and its impls for the types of the standard library.
//!
//! Invariants of every impl, held by the property tests:
//!
//! - Parts of one identity type have the same identity if and only if they have the same text.
//! - A part and its identity hash alike, and have the same text.
//! - Types that differ only in who owns the value share text and identity.

mod collections;
mod identity;
mod network;
mod numbers;
mod pointers;
mod ranges;
mod text;
mod time;
mod tuples;
mod variants;

use std::hash::Hasher;

use super::KeyEncoder;
use super::encode::encode_part;

pub use identity::TextIdentity;
pub use numbers::{F32Identity, F64Identity};

/// What can be a part of a key, or an argument of a cached function.
///
/// It has two faces: the canonical text, by which stores know it, and the identity, by which the
/// near cache of this process does. Both must tell the same parts apart. Nothing here goes through
/// [`Hash`](std::hash::Hash), since for that trait a value and its owned form need not agree
/// (`[u16]` hashes in bulk, its items one by one do not).
///
/// ```
/// use std::hash::Hasher;
/// use keyedcache::{KeyPart, cache_key, key::KeyEncoder};
///
/// /// A currency, told by its code in capitals.
/// struct Currency(String);
///
/// impl KeyPart for Currency {
///     type Identity = Box<str>;
///
///     fn encode(&self, out: &mut KeyEncoder<'_>) {
///         out.text(&self.0);
///     }
///     fn identity(&self) -> Box<str> {
///         self.0.identity()
///     }
///     fn hash_identity<H: Hasher>(&self, state: &mut H) {
///         self.0.hash_identity(state);
///     }
///     fn is_identity(&self, identity: &Box<str>) -> bool {
///         self.0.is_identity(identity)
///     }
/// }
///
/// assert_eq!(cache_key!("rate", Currency("CHF".into())).text(), "rate::CHF");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a key",
    label = "not a `KeyPart`",
    note = "`#[derive(keyedcache::KeyPart)]` on it, or leave it out of the key with `skip(…)`"
)]
pub trait KeyPart {
    /// An owned, compact form, that is its own identity.
    type Identity: KeyPart<Identity = Self::Identity> + Eq + Send + Sync + 'static;

    /// Writes the canonical text: one call of the encoder.
    fn encode(&self, out: &mut KeyEncoder<'_>);

    /// The owned identity.
    fn identity(&self) -> Self::Identity;

    /// Hashes the identity without making it.
    fn hash_identity<H: Hasher>(&self, state: &mut H);

    /// Whether this is the identity of it.
    fn is_identity(&self, identity: &Self::Identity) -> bool;
}

/// The canonical text of one part, however long.
///
/// ```
/// assert_eq!(keyedcache::key::part_text(&Some("a b")), "Some(a%20b)");
/// ```
#[must_use]
pub fn part_text<P: KeyPart + ?Sized>(part: &P) -> String {
    let mut text = String::new();
    encode_part(part, &mut text);
    text
}

/// Small types that are `Copy`: their identity is themselves.
macro_rules! own_identity {
    ($type:ty) => {
        type Identity = $type;

        #[inline]
        fn identity(&self) -> $type {
            *self
        }

        #[inline]
        fn hash_identity<H: std::hash::Hasher>(&self, state: &mut H) {
            std::hash::Hash::hash(self, state);
        }

        #[inline]
        fn is_identity(&self, identity: &$type) -> bool {
            self == identity
        }
    };
}

/// Types that are to be taken for another one they can be seen as.
macro_rules! identity_of {
    ($target:ty, |$this:ident| $view:expr) => {
        type Identity = <$target as crate::key::KeyPart>::Identity;

        #[inline]
        fn encode(&self, out: &mut crate::key::KeyEncoder<'_>) {
            let $this = self;
            <$target as crate::key::KeyPart>::encode($view, out);
        }

        #[inline]
        fn identity(&self) -> Self::Identity {
            let $this = self;
            <$target as crate::key::KeyPart>::identity($view)
        }

        #[inline]
        fn hash_identity<H: std::hash::Hasher>(&self, state: &mut H) {
            let $this = self;
            <$target as crate::key::KeyPart>::hash_identity($view, state);
        }

        #[inline]
        fn is_identity(&self, identity: &Self::Identity) -> bool {
            let $this = self;
            <$target as crate::key::KeyPart>::is_identity($view, identity)
        }
    };
}

/// Types without a compact identity that keeps what the text keeps: identity is the text.
macro_rules! text_identity {
    () => {
        type Identity = crate::key::TextIdentity;

        fn identity(&self) -> crate::key::TextIdentity {
            crate::key::TextIdentity::of(self)
        }

        fn hash_identity<H: std::hash::Hasher>(&self, state: &mut H) {
            crate::key::TextIdentity::of(self).hash_identity(state);
        }

        fn is_identity(&self, identity: &crate::key::TextIdentity) -> bool {
            crate::key::TextIdentity::of(self) == *identity
        }
    };
}

pub(super) use text_identity;
use {identity_of, own_identity};
