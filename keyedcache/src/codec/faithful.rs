//! A serializer that refuses what a codec would take and not give back as it was.
//!
//! It stands between a value and a codec's own serializer and passes everything on, but for what
//! the codec's [`Rules`] say. A wrong answer is worse than one that is not cached.

use std::cell::Cell;
use std::fmt::Display;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::codec::bounded::MAX_DEPTH_WRITTEN;

/// What a codec cannot tell apart or cannot write.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // independent facts about a format
pub(super) struct Rules {
    /// `Some(x)` is written as `x`, so that `Some(None)` would come back as `None`.
    pub(super) hides_some: bool,
    /// A unit struct is written as `None` is.
    pub(super) unit_struct_is_null: bool,
    /// NaN and infinity cannot be written.
    pub(super) only_finite: bool,
    /// A field that is left out shifts those after it.
    pub(super) every_field: bool,
    /// How deep values may be nested, options and newtypes counted.
    pub(super) depth: u16,
    /// How deep the sequences and maps that are written may be nested.
    pub(super) containers: u16,
}

impl Rules {
    pub(super) const DEFAULT: Self = Self {
        hides_some: false,
        unit_struct_is_null: false,
        only_finite: false,
        every_field: false,
        depth: MAX_DEPTH_WRITTEN,
        containers: u16::MAX,
    };
}

/// Watches one value being serialized.
pub(super) struct Watch {
    rules: Rules,
    refusal: Cell<Option<&'static str>>,
    elements: Cell<usize>,
}

impl Watch {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, refusal: Cell::new(None), elements: Cell::new(0) }
    }

    /// The value as something that this watch sees being serialized.
    pub(super) fn over<'a, T: ?Sized>(&'a self, value: &'a T) -> Watched<'a, T> {
        let Rules { depth, containers, .. } = self.rules;
        Watched { value, place: Place { watch: self, depth, containers, in_some: false } }
    }

    /// Why it was refused, if it was.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        self.refusal.get()
    }

    /// How many elements its sequences and maps have together.
    #[cfg_attr(not(feature = "bincode"), allow(dead_code))]
    pub(super) fn elements(&self) -> usize {
        self.elements.get()
    }

    fn refuse<E: serde::ser::Error>(&self, why: &'static str) -> E {
        self.refusal.set(Some(why));
        E::custom(why)
    }

    fn count_element(&self) {
        self.elements.set(self.elements.get() + 1);
    }
}

/// Where in a value its serialization has got to.
#[derive(Clone, Copy)]
struct Place<'a> {
    watch: &'a Watch,
    /// How much deeper it may go.
    depth: u16,
    /// How many more sequences and maps may be written within one another.
    containers: u16,
    /// Directly within a `Some`.
    in_some: bool,
}

impl<'a> Place<'a> {
    /// One level down, into as many `containers` within one another.
    fn down<E: serde::ser::Error>(self, containers: u16) -> Result<Self, E> {
        match (self.depth.checked_sub(1), self.containers.checked_sub(containers)) {
            (Some(depth), Some(containers)) => {
                Ok(Self { depth, containers, in_some: false, ..self })
            }
            _ => Err(self.watch.refuse("it is nested too deep")),
        }
    }

    /// What is written here as `None` is must not stand within a `Some`.
    fn null<E: serde::ser::Error>(self) -> Result<(), E> {
        if self.in_some && self.watch.rules.hides_some {
            return Err(self
                .watch
                .refuse("within `Some`, `None` and `()` would come back as `None`"));
        }
        Ok(())
    }

    fn finite<E: serde::ser::Error>(self, is_finite: bool) -> Result<(), E> {
        if self.watch.rules.only_finite && !is_finite {
            return Err(self.watch.refuse("JSON has neither NaN nor infinity"));
        }
        Ok(())
    }

    fn over<T: ?Sized>(self, value: &'a T) -> Watched<'a, T> {
        Watched { value, place: self }
    }
}

/// A value, or a part of one, that is watched.
pub(super) struct Watched<'a, T: ?Sized> {
    value: &'a T,
    place: Place<'a>,
}

impl<T: Serialize + ?Sized> Serialize for Watched<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Faithful { inner: serializer, place: self.place })
    }
}

/// A codec's serializer, or what it writes a compound value with, under watch.
struct Faithful<'w, S> {
    inner: S,
    place: Place<'w>,
}

macro_rules! pass_on {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<'w, S: Serializer> Serializer for Faithful<'w, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Faithful<'w, S::SerializeSeq>;
    type SerializeTuple = Faithful<'w, S::SerializeTuple>;
    type SerializeTupleStruct = Faithful<'w, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Faithful<'w, S::SerializeTupleVariant>;
    type SerializeMap = Faithful<'w, S::SerializeMap>;
    type SerializeStruct = Faithful<'w, S::SerializeStruct>;
    type SerializeStructVariant = Faithful<'w, S::SerializeStructVariant>;

    pass_on! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_u128(u128)
        serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.place.finite(value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.place.finite(value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.place.null()?;
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let place = Place { in_some: true, ..self.place.down(0)? };
        self.inner.serialize_some(&place.over(value))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.place.null()?;
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        if self.place.watch.rules.unit_struct_is_null {
            self.place.null()?;
        }
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        // Written as what it holds, so it is within the same `Some`.
        let place = Place { in_some: self.place.in_some, ..self.place.down(0)? };
        self.inner.serialize_newtype_struct(name, &place.over(value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = &self.place.down(1)?.over(value);
        self.inner.serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let place = self.place.down(1)?;
        Ok(Faithful { inner: self.inner.serialize_seq(len)?, place })
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let place = self.place.down(1)?;
        Ok(Faithful { inner: self.inner.serialize_tuple(len)?, place })
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let place = self.place.down(1)?;
        Ok(Faithful { inner: self.inner.serialize_tuple_struct(name, len)?, place })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let place = self.place.down(2)?;
        let inner = self.inner.serialize_tuple_variant(name, index, variant, len)?;
        Ok(Faithful { inner, place })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let place = self.place.down(1)?;
        Ok(Faithful { inner: self.inner.serialize_map(len)?, place })
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let place = self.place.down(1)?;
        Ok(Faithful { inner: self.inner.serialize_struct(name, len)?, place })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let place = self.place.down(2)?;
        let inner = self.inner.serialize_struct_variant(name, index, variant, len)?;
        Ok(Faithful { inner, place })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<S: SerializeSeq> SerializeSeq for Faithful<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.place.watch.count_element();
        self.inner.serialize_element(&self.place.over(value))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

impl<S: SerializeMap> SerializeMap for Faithful<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.place.watch.count_element();
        self.inner.serialize_key(&self.place.over(key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(&self.place.over(value))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

macro_rules! places {
    ($($compound:ident::$method:ident)*) => {$(
        impl<S: $compound> $compound for Faithful<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                self.inner.$method(&self.place.over(value))
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}
places! {
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

macro_rules! fields {
    ($($compound:ident)*) => {$(
        impl<S: $compound> $compound for Faithful<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), S::Error> {
                self.inner.serialize_field(name, &self.place.over(value))
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), S::Error> {
                if self.place.watch.rules.every_field {
                    let why = "in bincode no field can be left out by `skip_serializing_if`";
                    return Err(self.place.watch.refuse(why));
                }
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}
fields! { SerializeStruct SerializeStructVariant }
