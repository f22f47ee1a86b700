//! Ranges, each written as a struct with its bounds: `Range(start=1,end=9)`.

use std::hash::Hasher;
use std::ops::{Bound, Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use super::own_identity;
use crate::key::{KeyEncoder, KeyPart};

macro_rules! ranges {
    ($($range:ident { $($bound:ident),* })*) => {$(
        impl<T: KeyPart> KeyPart for $range<T> {
            type Identity = $range<T::Identity>;

            fn encode(&self, out: &mut KeyEncoder<'_>) {
                out.composite(stringify!($range), |fields| {
                    $(fields.named(stringify!($bound), &self.$bound);)*
                });
            }

            fn identity(&self) -> Self::Identity {
                $range { $($bound: self.$bound.identity()),* }
            }

            fn hash_identity<H: Hasher>(&self, state: &mut H) {
                $(self.$bound.hash_identity(state);)*
            }

            fn is_identity(&self, identity: &Self::Identity) -> bool {
                $(self.$bound.is_identity(&identity.$bound))&&*
            }
        }
    )*};
}
ranges! {
    Range { start, end }
    RangeFrom { start }
    RangeTo { end }
    RangeToInclusive { end }
}

/// By its bounds: whether it has been iterated to its end does not count.
impl<T: KeyPart> KeyPart for RangeInclusive<T> {
    type Identity = RangeInclusive<T::Identity>;

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.composite("RangeInclusive", |fields| {
            fields.named("start", self.start());
            fields.named("end", self.end());
        });
    }

    fn identity(&self) -> Self::Identity {
        self.start().identity()..=self.end().identity()
    }

    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        self.start().hash_identity(state);
        self.end().hash_identity(state);
    }

    fn is_identity(&self, identity: &Self::Identity) -> bool {
        self.start().is_identity(identity.start()) && self.end().is_identity(identity.end())
    }
}

impl KeyPart for RangeFull {
    own_identity!(RangeFull);

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.composite("RangeFull", |_| ());
    }
}

impl<T: KeyPart> KeyPart for Bound<T> {
    type Identity = Bound<T::Identity>;

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        match self {
            Self::Unbounded => out.composite("Unbounded", |_| ()),
            Self::Included(bound) => out.composite("Included", |fields| fields.item(bound)),
            Self::Excluded(bound) => out.composite("Excluded", |fields| fields.item(bound)),
        }
    }

    fn identity(&self) -> Self::Identity {
        self.as_ref().map(KeyPart::identity)
    }

    fn hash_identity<H: Hasher>(&self, state: &mut H) {
        let (kind, bound) = match self {
            Self::Unbounded => (0, None),
            Self::Included(bound) => (1, Some(bound)),
            Self::Excluded(bound) => (2, Some(bound)),
        };
        state.write_u8(kind);
        if let Some(bound) = bound {
            bound.hash_identity(state);
        }
    }

    fn is_identity(&self, identity: &Self::Identity) -> bool {
        match (self, identity) {
            (Self::Unbounded, Bound::Unbounded) => true,
            (Self::Included(bound), Bound::Included(identity))
            | (Self::Excluded(bound), Bound::Excluded(identity)) => bound.is_identity(identity),
            _ => false,
        }
    }
}
