//! The enums of the standard library, each written as its variant: `None()`, `Some(3)`, `Err(x)`.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::hash::Hasher;

use super::own_identity;
use crate::key::{KeyEncoder, KeyPart};

impl<T: KeyPart> KeyPart for Option<T> {
    type Identity = Option<T::Identity>;

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        match self {
            None => out.composite("None", |_| ()),
            Some(some) => out.composite("Some", |fields| fields.item(some)),
        }
    }

    #[inline]
    fn identity(&self) -> Self::Identity {
        self.as_ref().map(KeyPart::identity)
    }

    #[inline]
    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        state.write_u8(u8::from(self.is_some()));
        if let Some(some) = self {
            some.hash_identity(state);
        }
    }

    #[inline]
    fn is_identity(&self, identity: &Self::Identity) -> bool {
        match (self, identity) {
            (None, None) => true,
            (Some(some), Some(identity)) => some.is_identity(identity),
            _ => false,
        }
    }
}

impl<T: KeyPart, E: KeyPart> KeyPart for Result<T, E> {
    type Identity = Result<T::Identity, E::Identity>;

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        match self {
            Ok(value) => out.composite("Ok", |fields| fields.item(value)),
            Err(error) => out.composite("Err", |fields| fields.item(error)),
        }
    }

    #[inline]
    fn identity(&self) -> Self::Identity {
        self.as_ref().map(KeyPart::identity).map_err(KeyPart::identity)
    }

    #[inline]
    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        state.write_u8(u8::from(self.is_ok()));
        match self {
            Ok(value) => value.hash_identity(state),
            Err(error) => error.hash_identity(state),
        }
    }

    #[inline]
    fn is_identity(&self, identity: &Self::Identity) -> bool {
        match (self, identity) {
            (Ok(value), Ok(identity)) => value.is_identity(identity),
            (Err(error), Err(identity)) => error.is_identity(identity),
            _ => false,
        }
    }
}

impl KeyPart for Ordering {
    own_identity!(Ordering);

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        let name = match self {
            Self::Less => "Less",
            Self::Equal => "Equal",
            Self::Greater => "Greater",
        };
        out.composite(name, |_| ());
    }
}

impl KeyPart for Infallible {
    own_identity!(Infallible);

    fn encode(&self, _out: &mut KeyEncoder<'_>) {
        match *self {}
    }
}
