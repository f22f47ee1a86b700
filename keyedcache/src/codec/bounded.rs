//! A deserializer that keeps hostile bytes from exhausting the stack, the memory or the time.
//!
//! It stands between a codec's own deserializer and a type's `Deserialize`, and passes everything
//! on, but for three things: it goes only so deep (the codecs' own limits do not count options,
//! newtypes and enums, or there are none); the sequences and maps of `n` bytes have together only
//! about `n` elements (in bincode an element may take no bytes, so that nine bytes can announce
//! 2^64 of them); and nobody is told to reserve room for more.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use crate::codec::reason::Reason;

/// How deep values may be nested; options, newtypes and enums count.
///
/// On the small side: debug builds take a kilobyte and more of the stack for each level, and
/// runtimes' threads have two megabytes.
pub(super) const MAX_DEPTH: u16 = 256;

/// How deep values may be that are encoded: less, since the innermost leaves take a level or two
/// more to read than to write.
#[cfg_attr(not(any(feature = "msgpack", feature = "bincode")), allow(dead_code))]
pub(super) const MAX_DEPTH_WRITTEN: u16 = MAX_DEPTH - 8;

/// Elements beyond one for each byte, so that small values of no size pass.
const SPARE_ELEMENTS: usize = 1024;

/// The bounds that one value is decoded in.
pub(super) struct Bounds {
    elements: Cell<usize>,
    refusal: Cell<Option<&'static str>>,
}

impl Bounds {
    /// Those that `bytes` bytes justify.
    pub(super) fn new(bytes: usize) -> Self {
        let elements = Cell::new(bytes.saturating_add(SPARE_ELEMENTS));
        Self { elements, refusal: Cell::new(None) }
    }

    /// Whether so many elements in so many bytes would be decoded.
    #[cfg_attr(not(feature = "bincode"), allow(dead_code))]
    pub(super) fn allows(bytes: usize, elements: usize) -> bool {
        elements <= bytes.saturating_add(SPARE_ELEMENTS)
    }

    /// Which bound was overstepped, if one was.
    pub(super) fn refusal(&self) -> Option<Reason> {
        self.refusal.get().map(Reason::from)
    }

    fn refuse<E: serde::de::Error>(&self, why: &'static str) -> E {
        self.refusal.set(Some(why));
        E::custom(why)
    }

    fn take_element<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.elements.get().checked_sub(1) {
            Some(left) => {
                self.elements.set(left);
                Ok(())
            }
            None => Err(self.refuse("it announces more elements than its bytes can hold")),
        }
    }
}

/// Something of serde's, within bounds.
pub(super) struct Bounded<'b, T> {
    inner: T,
    bounds: &'b Bounds,
    /// How much deeper it may go.
    depth: u16,
    /// A sequence or map whose length the bytes tell, not the type.
    counted: bool,
}

impl<'b, T> Bounded<'b, T> {
    pub(super) fn new(inner: T, bounds: &'b Bounds) -> Self {
        Self { inner, bounds, depth: MAX_DEPTH, counted: false }
    }

    /// Another one at the same depth.
    fn around<U>(&self, inner: U) -> Bounded<'b, U> {
        Bounded { inner, bounds: self.bounds, depth: self.depth, counted: self.counted }
    }

    /// One level down: the deserializer, and the visitor of what is there.
    fn down<V, E>(self, visitor: V, counted: bool) -> Result<(T, Bounded<'b, V>), E>
    where
        E: serde::de::Error,
    {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                Ok((self.inner, Bounded { inner: visitor, bounds: self.bounds, depth, counted }))
            }
            None => Err(self.bounds.refuse("it is nested too deep")),
        }
    }
}

/// The seed of a `T` that is decoded within bounds.
pub(super) struct Seed<'b, T>(&'b Bounds, PhantomData<T>);

#[cfg_attr(not(feature = "bincode"), allow(dead_code))]
impl<'b, T> Seed<'b, T> {
    pub(super) fn new(bounds: &'b Bounds) -> Self {
        Self(bounds, PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(Bounded::new(deserializer, self.0))
    }
}

macro_rules! leaves {
    ($($method:ident => $inner:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$inner(visitor)
        }
    )*};
}

macro_rules! nested {
    ($($method:ident($($argument:ident: $type:ty),*), $counted:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            let (inner, visitor) = self.down(visitor, $counted)?;
            inner.$method($($argument,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    // Owned strings and bytes are asked for as borrowed ones: bincode reserves room for the first
    // before it looks whether the bytes are there.
    leaves! {
        deserialize_bool => deserialize_bool
        deserialize_i8 => deserialize_i8
        deserialize_i16 => deserialize_i16
        deserialize_i32 => deserialize_i32
        deserialize_i64 => deserialize_i64
        deserialize_i128 => deserialize_i128
        deserialize_u8 => deserialize_u8
        deserialize_u16 => deserialize_u16
        deserialize_u32 => deserialize_u32
        deserialize_u64 => deserialize_u64
        deserialize_u128 => deserialize_u128
        deserialize_f32 => deserialize_f32
        deserialize_f64 => deserialize_f64
        deserialize_char => deserialize_char
        deserialize_str => deserialize_str
        deserialize_string => deserialize_str
        deserialize_unit => deserialize_unit
        deserialize_identifier => deserialize_identifier
    }

    nested! {
        deserialize_any(), true;
        deserialize_ignored_any(), true;
        deserialize_bytes(), true;
        deserialize_option(), false;
        deserialize_unit_struct(name: &'static str), false;
        deserialize_newtype_struct(name: &'static str), false;
        deserialize_seq(), true;
        deserialize_tuple(len: usize), false;
        deserialize_tuple_struct(name: &'static str, len: usize), false;
        deserialize_map(), true;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]), false;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]), false;
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_bytes(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visits {
    ($($method:ident($type:ty))*) => {$(
        fn $method<E: serde::de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visits! {
        visit_bool(bool)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_f64(f64) visit_char(char)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.around(deserializer);
        self.inner.visit_some(deserializer)
    }

    fn visit_newtype_struct<D>(self, deserializer: D) -> Result<V::Value, D::Error>
    where
        D: Deserializer<'de>,
    {
        let deserializer = self.around(deserializer);
        self.inner.visit_newtype_struct(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.around(access);
        self.inner.visit_seq(access)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.around(access);
        self.inner.visit_map(access)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.around(access);
        self.inner.visit_enum(access)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.around(deserializer);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let seed = self.around(seed);
        let element = self.inner.next_element_seed(seed)?;
        if self.counted && element.is_some() {
            self.bounds.take_element()?;
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.inner.size_hint()?.min(self.bounds.elements.get()))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let seed = self.around(seed);
        let key = self.inner.next_key_seed(seed)?;
        if self.counted && key.is_some() {
            self.bounds.take_element()?;
        }
        Ok(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.inner.size_hint()?.min(self.bounds.elements.get()))
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    fn variant_seed<S>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let (bounds, depth) = (self.bounds, self.depth);
        let seed = self.around(seed);
        let (value, inner) = self.inner.variant_seed(seed)?;
        Ok((value, Bounded { inner, bounds, depth, counted: false }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S>(self, seed: S) -> Result<S::Value, A::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let seed = self.around(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
