//! `MessagePack` with named fields, through `rmp-serde`.

use rmp_serde::decode::{Deserializer, Error as DecodeError};
use rmp_serde::encode::{Error as EncodeError, Serializer};
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned};

use crate::codec::bounded::{Bounded, Bounds};
use crate::codec::faithful::{Rules, Watch};
use crate::codec::reason::{self, Reason};

/// `rmp-serde` writes `Some(x)` as `x`.
const RULES: Rules = Rules { hides_some: true, ..Rules::DEFAULT };

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Reason> {
    let watch = Watch::new(RULES);
    let mut bytes = Vec::with_capacity(128);
    let mut serializer = Serializer::new(&mut bytes).with_struct_map();
    watch.over(value).serialize(&mut serializer).map_err(|error: EncodeError| {
        watch.refusal().unwrap_or(match error {
            EncodeError::DepthLimitExceeded => "it is nested too deep",
            _ => "its `Serialize` failed",
        })
    })?;
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reason> {
    let bounds = Bounds::new(bytes.len());
    let mut deserializer = Deserializer::from_read_ref(bytes);
    let value = T::deserialize(Bounded::new(&mut deserializer, &bounds))
        .map_err(|error| bounds.refusal().unwrap_or_else(|| reason_of(&error)))?;
    // The reader does not tell its place; but only at the end is there no next marker.
    match <()>::deserialize(&mut deserializer) {
        Err(DecodeError::InvalidMarkerRead(_)) => Ok(value),
        _ => Err("something follows the value".into()),
    }
}

fn reason_of(error: &DecodeError) -> Reason {
    match error {
        DecodeError::InvalidMarkerRead(_) | DecodeError::InvalidDataRead(_) => {
            "the bytes are cut off".into()
        }
        DecodeError::DepthLimitExceeded => "it is nested too deep".into(),
        DecodeError::Syntax(message) | DecodeError::Uncategorized(message) => {
            reason::of_decoding(message)
        }
        _ => "the bytes do not fit the type".into(),
    }
}
