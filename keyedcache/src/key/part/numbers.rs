//! Numbers and truth values.
//!
//! An integer is written in decimal, whatever its width. A float is the shortest decimal that reads
//! back as the same float, always with a point or an exponent (`1.0`, `1e16`): so `1.0` is not `1`,
//! and `0.1_f32` is `0.1`. Both zeros are `0.0`, and every NaN is `NaN`.

use std::hash::{Hash, Hasher};
use std::num::{NonZero, Saturating, Wrapping};

use super::own_identity;
use crate::key::{KeyEncoder, KeyPart};

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl KeyPart for $integer {
            own_identity!($integer);

            #[inline]
            fn encode(&self, out: &mut KeyEncoder<'_>) {
                out.verbatim(format_args!("{self}"));
            }
        }

        impl KeyPart for NonZero<$integer> {
            own_identity!(NonZero<$integer>);

            #[inline]
            fn encode(&self, out: &mut KeyEncoder<'_>) {
                out.verbatim(format_args!("{self}"));
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl KeyPart for bool {
    own_identity!(bool);

    #[inline]
    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.verbatim(format_args!("{self}"));
    }
}

macro_rules! wrappers {
    ($($wrapper:ident)*) => {$(
        impl<T: KeyPart> KeyPart for $wrapper<T> {
            super::identity_of!(T, |this| &this.0);
        }
    )*};
}
wrappers!(Wrapping Saturating);

macro_rules! floats {
    ($($float:ident $bits:ident $identity:ident)*) => {$(
        #[doc = concat!("The identity of an `", stringify!($float), "`: both zeros have one, and all NaNs.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $identity($bits);

        impl KeyPart for $float {
            type Identity = $identity;

            fn encode(&self, out: &mut KeyEncoder<'_>) {
                let magnitude = self.abs();
                if magnitude == 0.0 {
                    out.verbatim(format_args!("0.0"));
                } else if magnitude.is_finite() && !(1e-5..1e16).contains(&magnitude) {
                    out.verbatim(format_args!("{self:e}"));
                } else if self.fract() == 0.0 {
                    out.verbatim(format_args!("{self}.0"));
                } else {
                    out.verbatim(format_args!("{self}"));
                }
            }

            #[inline]
            fn identity(&self) -> $identity {
                if self.is_nan() {
                    return $identity($float::NAN.to_bits());
                }
                // Adding zero turns -0.0 into 0.0 and leaves all else.
                $identity((self + 0.0).to_bits())
            }

            #[inline]
            fn hash_identity<H: Hasher>(&self, state: &mut H) {
                self.identity().hash(state);
            }

            #[inline]
            fn is_identity(&self, identity: &$identity) -> bool {
                self.identity() == *identity
            }
        }

        impl KeyPart for $identity {
            own_identity!($identity);

            fn encode(&self, out: &mut KeyEncoder<'_>) {
                $float::from_bits(self.0).encode(out);
            }
        }
    )*};
}
floats!(f32 u32 F32Identity f64 u64 F64Identity);
