//! The form of an answer whose type is a parameter, where no probe can see a `Result` or an `Option`.
//!
//! Its variant is told by what it hands a serializer: serde writes `Err` as the variant `Err` of a
//! `Result`, and `None` as nothing at all. The serializer here hears that much and stops.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::value::Error as Stop;
use serde::ser::{Error as _, Impossible, Serializer};

use super::{Form, Shareable, SharedError};

/// Any answer that can be shared; an `Err` in it is not stored, as of every other function.
pub(crate) struct Told<T>(PhantomData<fn() -> T>);

impl<T> Told<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Shareable> Form for Told<T> {
    type Answer = T;
    type Stored = T;

    fn stored<'a>(&self, answer: &'a T) -> Option<&'a T> {
        Some(answer)
    }

    fn answer(&self, stored: T) -> T {
        stored
    }

    fn is_err(&self, answer: &T) -> bool {
        variant(answer) == Variant::Err
    }

    fn is_none(&self, answer: &T) -> bool {
        variant(answer) == Variant::None
    }

    fn share_error(&self, answer: &T) -> Option<SharedError> {
        self.is_err(answer).then(|| Arc::new(answer.clone()) as SharedError)
    }

    fn answer_of_error(&self, error: &SharedError) -> Option<T> {
        error.downcast_ref::<T>().cloned()
    }
}

impl<T> Clone for Told<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Told<T> {}

impl<T> fmt::Debug for Told<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Variant {
    Err,
    /// `None`, or `Ok(None)`.
    None,
    Other,
}

fn variant<T: Serialize>(answer: &T) -> Variant {
    answer.serialize(Listener).unwrap_or(Variant::Other)
}

/// Hears the first thing a value says of itself. Whatever is neither a `Result` nor an `Option`
/// stops it.
struct Listener;

/// Scalars: their value is of no interest.
macro_rules! scalars {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, _: $type) -> Result<Variant, Stop> {
            Ok(Variant::Other)
        }
    )*};
}

/// Whatever has an inside: it is not looked into.
macro_rules! compounds {
    ($($method:ident($($argument:ty),*) -> $compound:ident;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<Self::$compound, Stop> {
            Err(Stop::custom("neither a `Result` nor an `Option`"))
        }
    )*};
}

impl Serializer for Listener {
    type Ok = Variant;
    type Error = Stop;
    type SerializeSeq = Impossible<Variant, Stop>;
    type SerializeTuple = Impossible<Variant, Stop>;
    type SerializeTupleStruct = Impossible<Variant, Stop>;
    type SerializeTupleVariant = Impossible<Variant, Stop>;
    type SerializeMap = Impossible<Variant, Stop>;
    type SerializeStruct = Impossible<Variant, Stop>;
    type SerializeStructVariant = Impossible<Variant, Stop>;

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Variant, Stop> {
        match (name, variant) {
            ("Result", "Err") => Ok(Variant::Err),
            ("Result", "Ok") => match value.serialize(Self)? {
                Variant::None => Ok(Variant::None),
                _ => Ok(Variant::Other),
            },
            _ => Ok(Variant::Other),
        }
    }

    fn serialize_none(self) -> Result<Variant, Stop> {
        Ok(Variant::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Variant, Stop> {
        Ok(Variant::Other)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<Variant, Stop> {
        Ok(Variant::Other)
    }

    fn serialize_unit(self) -> Result<Variant, Stop> {
        Ok(Variant::Other)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<Variant, Stop> {
        Ok(Variant::Other)
    }

    scalars! {
        serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_f32(f32) serialize_f64(f64)
        serialize_i128(i128) serialize_u128(u128)
        serialize_unit_struct(&'static str)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<Variant, Stop> {
        Ok(Variant::Other)
    }

    compounds! {
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_and_a_none_are_told_from_other_answers() {
        assert_eq!(variant(&Err::<u8, u8>(1)), Variant::Err);
        assert_eq!(variant(&Err::<u8, ()>(())), Variant::Err);
        assert_eq!(variant(&None::<u8>), Variant::None);
        assert_eq!(variant(&Ok::<Option<u8>, u8>(None)), Variant::None);
    }

    #[test]
    fn what_only_holds_an_error_or_a_none_is_an_answer() {
        assert_eq!(variant(&Ok::<u8, u8>(1)), Variant::Other);
        assert_eq!(variant(&Ok::<Vec<u8>, u8>(vec![1])), Variant::Other);
        assert_eq!(variant(&Ok::<Result<u8, u8>, u8>(Err(1))), Variant::Other);
        assert_eq!(variant(&Some(None::<u8>)), Variant::Other);
        assert_eq!(variant(&vec![Err::<u8, u8>(1)]), Variant::Other);
        assert_eq!(variant(&(None::<u8>, 1)), Variant::Other);
        assert_eq!(variant(&()), Variant::Other);
        assert_eq!(variant(&"Err"), Variant::Other);
    }
}
