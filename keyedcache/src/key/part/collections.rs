//! Sequences, sets and maps.
//!
//! All sequences of the same parts are one part and share one identity, the boxed slice, hashed
//! item by item. Sets and maps are their sorted text, however they were ordered.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};
use std::hash::Hasher;

use bytes::{Bytes, BytesMut};

use super::{identity_of, text_identity};
use crate::key::{KeyEncoder, KeyPart};

impl<T: KeyPart> KeyPart for [T] {
    type Identity = Box<[T::Identity]>;

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.sequence(self);
    }

    fn identity(&self) -> Self::Identity {
        self.iter().map(KeyPart::identity).collect()
    }

    #[inline]
    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        for item in self {
            item.hash_identity(state);
        }
    }

    #[inline]
    fn is_identity(&self, identity: &Self::Identity) -> bool {
        self.len() == identity.len()
            && self.iter().zip(identity).all(|(item, identity)| item.is_identity(identity))
    }
}

impl<T: KeyPart, const N: usize> KeyPart for [T; N] {
    identity_of!([T], |this| this);
}

impl<T: KeyPart> KeyPart for Vec<T> {
    identity_of!([T], |this| this);
}

impl KeyPart for Bytes {
    identity_of!([u8], |this| this);
}

impl KeyPart for BytesMut {
    identity_of!([u8], |this| this);
}

macro_rules! sequences_in_pieces {
    ($($sequence:ident)*) => {$(
        impl<T: KeyPart> KeyPart for $sequence<T> {
            type Identity = Box<[T::Identity]>;

            fn encode(&self, out: &mut KeyEncoder<'_>) {
                out.sequence(self);
            }

            fn identity(&self) -> Self::Identity {
                self.iter().map(KeyPart::identity).collect()
            }

            fn hash_identity<H: Hasher>(&self, state: &mut H) {
                state.write_usize(self.len());
                for item in self {
                    item.hash_identity(state);
                }
            }

            fn is_identity(&self, identity: &Self::Identity) -> bool {
                self.len() == identity.len()
                    && self.iter().zip(identity).all(|(item, identity)| item.is_identity(identity))
            }
        }
    )*};
}
sequences_in_pieces!(VecDeque LinkedList);

impl<T: KeyPart> KeyPart for BTreeSet<T> {
    text_identity!();

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.set(self);
    }
}

impl<T: KeyPart, S> KeyPart for HashSet<T, S> {
    text_identity!();

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.set(self);
    }
}

impl<K: KeyPart, V: KeyPart> KeyPart for BTreeMap<K, V> {
    text_identity!();

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.map(self);
    }
}

impl<K: KeyPart, V: KeyPart, S> KeyPart for HashMap<K, V, S> {
    text_identity!();

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.map(self);
    }
}
