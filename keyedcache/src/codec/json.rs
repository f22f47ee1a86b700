//! JSON, through `serde_json`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Deserializer, Error, Serializer};

use crate::codec::bounded::{Bounded, Bounds};
use crate::codec::faithful::{Rules, Watch};
use crate::codec::reason::{self, Reason};

/// JSON has one `null`, no NaN, no infinity; `serde_json` reads 127 containers deep.
const RULES: Rules = Rules {
    hides_some: true,
    unit_struct_is_null: true,
    only_finite: true,
    containers: 120,
    ..Rules::DEFAULT
};

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Reason> {
    let watch = Watch::new(RULES);
    let mut bytes = Vec::with_capacity(128);
    watch.over(value).serialize(&mut Serializer::new(&mut bytes)).map_err(|error| {
        watch.refusal().unwrap_or_else(|| match error.to_string().as_str() {
            "key must be a string" => "in JSON the keys of a map are strings or numbers",
            _ => "its `Serialize` failed",
        })
    })?;
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reason> {
    let bounds = Bounds::new(bytes.len());
    let mut deserializer = Deserializer::from_slice(bytes);
    T::deserialize(Bounded::new(&mut deserializer, &bounds))
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| bounds.refusal().unwrap_or_else(|| reason_of(&error)))
}

fn reason_of(error: &Error) -> Reason {
    match error.classify() {
        Category::Data => reason::of_decoding(&error.to_string()),
        // What the text lacks as JSON, and where: nothing of the value.
        Category::Syntax | Category::Eof | Category::Io => error.to_string().into(),
    }
}
