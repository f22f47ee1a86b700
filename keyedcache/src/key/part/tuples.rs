//! Tuples up to twelve, and what holds nothing.

use std::hash::Hasher;
use std::marker::PhantomData;

use crate::key::{KeyEncoder, KeyPart};

macro_rules! tuples {
    ($($Part:ident $place:tt),*) => {
        impl<$($Part: KeyPart),*> KeyPart for ($($Part,)*) {
            type Identity = ($($Part::Identity,)*);

            fn encode(&self, out: &mut KeyEncoder<'_>) {
                out.tuple(|fields| { $(fields.item(&self.$place);)* });
            }

            #[inline]
            fn identity(&self) -> Self::Identity {
                ($(self.$place.identity(),)*)
            }

            #[inline]
            fn hash_identity<Hash: Hasher>(&self, state: &mut Hash) {
                $(self.$place.hash_identity(state);)*
            }

            #[inline]
            fn is_identity(&self, identity: &Self::Identity) -> bool {
                $(self.$place.is_identity(&identity.$place))&&*
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);

impl KeyPart for () {
    type Identity = ();

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.tuple(|_| ());
    }

    #[inline]
    fn identity(&self) {}

    #[inline]
    fn hash_identity<H: Hasher>(&self, _state: &mut H) {}

    #[inline]
    fn is_identity(&self, _identity: &()) -> bool {
        true
    }
}

impl<T: ?Sized> KeyPart for PhantomData<T> {
    super::identity_of!((), |_this| &());
}
