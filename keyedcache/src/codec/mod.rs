//! Stub until the codecs land.
use crate::compress::Compression;
use crate::error::{Error, ErrorKind};
use crate::record::{CodecId, Header, Record};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
/// Codec.
#[derive(Clone, Copy, Debug, Default)]
pub struct Codec;
pub(crate) fn seal<T: Serialize + ?Sized>(
    header: &Header,
    value: &T,
    _: Codec,
    _: Compression,
) -> Result<Record, Error> {
    let bytes = rmp_serde::to_vec_named(value)
        .map_err(|e| Error::new(ErrorKind::Encode, "encode", e.to_string()))?;
    let mut header = header.clone();
    header.codec = CodecId::MESSAGE_PACK;
    Record::new(&header, &bytes)
}
pub(crate) fn decode_payload<T: DeserializeOwned>(
    header: &Header,
    payload: &Bytes,
) -> Result<T, Error> {
    if header.codec == CodecId::COUNTER {
        return serde_json_like(payload);
    }
    rmp_serde::from_slice(payload)
        .map_err(|e| Error::new(ErrorKind::Decode, "decode", e.to_string()))
}
fn serde_json_like<T: DeserializeOwned>(payload: &Bytes) -> Result<T, Error> {
    let n: i64 = std::str::from_utf8(payload).ok().and_then(|t| t.parse().ok()).unwrap_or(0);
    T::deserialize(serde::de::value::I64Deserializer::<serde::de::value::Error>::new(n))
        .map_err(|e| Error::new(ErrorKind::Decode, "decode", e.to_string()))
}
