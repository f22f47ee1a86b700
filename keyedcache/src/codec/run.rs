//! Finding out, while a value is serialized, whether it is a run of bytes and nothing else.

use std::fmt;

use serde::ser::{Impossible, Serialize, SerializeSeq, Serializer};

/// The bytes of a value that is nothing else; `None` of any other, and of an empty sequence, which
/// might be one of anything. Gives up at the first thing that is not a byte.
pub(super) fn bytes_of<T: Serialize + ?Sized>(value: &T) -> Option<Vec<u8>> {
    match value.serialize(Probe { in_run: false }) {
        Ok(Found::Run(bytes)) if !bytes.is_empty() => Some(bytes),
        _ => None,
    }
}

/// What a value turned out to be.
enum Found {
    Byte(u8),
    Run(Vec<u8>),
}

/// It is neither a byte nor a run of them.
#[derive(Debug)]
struct Other;

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a run of bytes")
    }
}

impl std::error::Error for Other {}

impl serde::ser::Error for Other {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Probe {
    /// Within a run only bare bytes count: an `Option<u8>` is not read from a byte.
    in_run: bool,
}

struct Elements {
    bytes: Vec<u8>,
    /// How many there will be, as the value says.
    told: usize,
}

/// For how many elements room is made before they come, whatever the value says.
const MOST_TOLD: usize = 1 << 20;

/// The byte that one element of a run is.
fn byte_of<T: Serialize>(element: T) -> Result<u8, Other> {
    match element.serialize(Probe { in_run: true })? {
        Found::Byte(byte) => Ok(byte),
        Found::Run(_) => Err(Other),
    }
}

impl SerializeSeq for Elements {
    type Ok = Found;
    type Error = Other;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Other> {
        let byte = byte_of(value)?;
        if self.bytes.is_empty() {
            self.bytes.reserve(self.told.min(MOST_TOLD));
        }
        self.bytes.push(byte);
        Ok(())
    }

    fn end(self) -> Result<Found, Other> {
        Ok(Found::Run(self.bytes))
    }
}

macro_rules! others {
    ($($method:ident($($type:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<$ok, Other> {
            Err(Other)
        }
    )*};
}

type Name = &'static str;

impl Serializer for Probe {
    type Ok = Found;
    type Error = Other;
    type SerializeSeq = Elements;
    type SerializeTuple = Impossible<Found, Other>;
    type SerializeTupleStruct = Impossible<Found, Other>;
    type SerializeTupleVariant = Impossible<Found, Other>;
    type SerializeMap = Impossible<Found, Other>;
    type SerializeStruct = Impossible<Found, Other>;
    type SerializeStructVariant = Impossible<Found, Other>;

    fn serialize_u8(self, byte: u8) -> Result<Found, Other> {
        Ok(Found::Byte(byte))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Found, Other> {
        if self.in_run { Err(Other) } else { Ok(Found::Run(bytes.to_vec())) }
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Elements, Other> {
        // Nothing is reserved before the first element shows that they are bytes.
        if self.in_run || len == Some(0) {
            return Err(Other);
        }
        Ok(Elements { bytes: Vec::new(), told: len.unwrap_or(0) })
    }

    /// What vectors and slices call. Of bytes this is one copy of all of them, since nothing in the
    /// loop depends on what they are; of anything else it ends with the first element.
    fn collect_seq<I>(self, elements: I) -> Result<Found, Other>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        let mut elements = elements.into_iter();
        let first = if self.in_run { None } else { elements.next() };
        let mut bytes = vec![byte_of(first.ok_or(Other)?)?];
        bytes.reserve(elements.size_hint().0.min(MOST_TOLD));
        let mut are_bytes = true;
        bytes.extend(elements.map(|element| {
            let byte = byte_of(element);
            are_bytes &= byte.is_ok();
            byte.unwrap_or_default()
        }));
        if are_bytes { Ok(Found::Run(bytes)) } else { Err(Other) }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Found, Other> {
        if self.in_run { Err(Other) } else { value.serialize(self) }
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: Name,
        value: &T,
    ) -> Result<Found, Other> {
        if self.in_run { Err(Other) } else { value.serialize(self) }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: Name,
        _: u32,
        _: Name,
        _: &T,
    ) -> Result<Found, Other> {
        Err(Other)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<Found, Other> {
        Err(Other)
    }

    others! {
        serialize_bool(bool) -> Found;
        serialize_i8(i8) -> Found;
        serialize_i16(i16) -> Found;
        serialize_i32(i32) -> Found;
        serialize_i64(i64) -> Found;
        serialize_u16(u16) -> Found;
        serialize_u32(u32) -> Found;
        serialize_u64(u64) -> Found;
        serialize_f32(f32) -> Found;
        serialize_f64(f64) -> Found;
        serialize_char(char) -> Found;
        serialize_str(&str) -> Found;
        serialize_none() -> Found;
        serialize_unit() -> Found;
        serialize_unit_struct(Name) -> Found;
        serialize_unit_variant(Name, u32, Name) -> Found;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(Name, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(Name, u32, Name, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(Name, usize) -> Self::SerializeStruct;
        serialize_struct_variant(Name, u32, Name, usize) -> Self::SerializeStructVariant;
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
