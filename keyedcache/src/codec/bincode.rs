//! bincode 2 in its standard configuration, through `bincode`.

use bincode::config;
use bincode::error::{DecodeError, EncodeError};
use bincode::serde::{encode_to_vec, seed_decode_from_slice};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::bounded::{Bounds, Seed};
use crate::codec::faithful::{Rules, Watch};
use crate::codec::reason::{self, Reason};

/// bincode finds fields by their places alone, and elements may take no bytes at all.
const RULES: Rules = Rules { every_field: true, ..Rules::DEFAULT };

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Reason> {
    let watch = Watch::new(RULES);
    let bytes = encode_to_vec(watch.over(value), config::standard()).map_err(|error| {
        watch.refusal().unwrap_or(match error {
            EncodeError::Serde(bincode::serde::EncodeError::SequenceMustHaveLength) => {
                "in bincode a sequence must know its length"
            }
            _ => "its `Serialize` failed",
        })
    })?;
    if Bounds::allows(bytes.len(), watch.elements()) {
        Ok(bytes)
    } else {
        Err("it has too many elements of no size".into())
    }
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reason> {
    let bounds = Bounds::new(bytes.len());
    let (value, read) = seed_decode_from_slice(Seed::<T>::new(&bounds), bytes, config::standard())
        .map_err(|error| bounds.refusal().unwrap_or_else(|| reason_of(&error)))?;
    if read == bytes.len() { Ok(value) } else { Err("something follows the value".into()) }
}

fn reason_of(error: &DecodeError) -> Reason {
    match error {
        DecodeError::UnexpectedEnd { .. } => "the bytes are cut off".into(),
        DecodeError::Serde(_) => {
            "bincode cannot read types that look at what comes, such as untagged enums".into()
        }
        DecodeError::OtherString(message) => reason::of_decoding(message),
        _ => "the bytes do not fit the type".into(),
    }
}
