//! Values that need no codec: a run of bytes is stored as it is, and a counter is decimal text.
//!
//! serde knows a `Vec<u8>` only as a sequence of numbers, which `MessagePack` would write half as
//! long again and read one by one. So a value that [serializes as nothing but bytes](super::run) is
//! stored under [`CodecId::BYTES`](crate::record::CodecId::BYTES), and copied at once when it is
//! read.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::value::{Error, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::codec::bounded::{Bounded, Bounds};
use crate::codec::reason::{self, Reason};
use crate::record::integer;

/// The value of a type that is made of bytes.
pub(super) fn value_of_bytes<T: DeserializeOwned + 'static>(bytes: &Bytes) -> Result<T, Reason> {
    match known(bytes) {
        Some(value) => Ok(value),
        None => read(Run(bytes), bytes.len()),
    }
}

/// The value of a type that is read from an integer.
pub(super) fn value_of_integer<T: DeserializeOwned>(text: &[u8]) -> Result<T, Reason> {
    let number = integer(text).ok_or("the counter does not hold an integer")?;
    read(Integer(number), text.len())
}

fn read<'de, T, D>(deserializer: D, length: usize) -> Result<T, Reason>
where
    T: DeserializeOwned,
    D: Deserializer<'de, Error = Error>,
{
    let bounds = Bounds::new(length);
    T::deserialize(Bounded::new(deserializer, &bounds)).map_err(|error| {
        bounds.refusal().unwrap_or_else(|| reason::of_decoding(&error.to_string()))
    })
}

/// `bytes` as a `T`, if `T` is one of the types that need no more than a copy. Decided while
/// compiling.
fn known<T: 'static>(bytes: &Bytes) -> Option<T> {
    let mut value: Option<T> = None;
    let slot: &mut dyn Any = &mut value;
    if let Some(slot) = slot.downcast_mut::<Option<Bytes>>() {
        *slot = Some(bytes.clone());
        return value;
    }
    copied(bytes)
}

/// The same of bytes that are somebody else's.
pub(super) fn copied<T: 'static>(bytes: &[u8]) -> Option<T> {
    let mut value: Option<T> = None;
    let slot: &mut dyn Any = &mut value;
    if let Some(slot) = slot.downcast_mut::<Option<Vec<u8>>>() {
        *slot = Some(bytes.to_vec());
    } else if let Some(slot) = slot.downcast_mut::<Option<Option<Vec<u8>>>>() {
        *slot = Some(Some(bytes.to_vec()));
    } else if let Some(slot) = slot.downcast_mut::<Option<Bytes>>() {
        *slot = Some(Bytes::copy_from_slice(bytes));
    } else if let Some(slot) = slot.downcast_mut::<Option<Box<[u8]>>>() {
        *slot = Some(bytes.into());
    } else if let Some(slot) = slot.downcast_mut::<Option<Arc<[u8]>>>() {
        *slot = Some(bytes.into());
    } else if let Some(slot) = slot.downcast_mut::<Option<VecDeque<u8>>>() {
        *slot = Some(bytes.to_vec().into());
    }
    value
}

/// Deserializes from a run of bytes, by whichever way the type was serialized to one.
struct Run<'de>(&'de [u8]);

impl<'de> Deserializer<'de> for Run<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // Types that look at what comes take bytes out of a sequence, but no sequence out of bytes.
        let mut elements = SeqDeserializer::new(self.0.iter().copied());
        let value = visitor.visit_seq(&mut elements)?;
        elements.end()?;
        Ok(value)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_bytes(self.0)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_bytes(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V>(self, _: &'static str, visitor: V) -> Result<V::Value, Error>
    where
        V: Visitor<'de>,
    {
        visitor.visit_newtype_struct(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Deserializes from an integer.
struct Integer(i64);

impl<'de> Deserializer<'de> for Integer {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match u64::try_from(self.0) {
            Ok(natural) => visitor.visit_u64(natural),
            Err(_) => visitor.visit_i64(self.0),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V>(self, _: &'static str, visitor: V) -> Result<V::Value, Error>
    where
        V: Visitor<'de>,
    {
        visitor.visit_newtype_struct(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
