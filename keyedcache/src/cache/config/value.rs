//! The values that are neither durations nor sizes, and how one is refused.
//!
//! A value is text wherever it comes from; a TOML number or boolean is read as its text.

use super::{Codec, Compressor, SingleFlight};

/// Why a text is not the value of an option. Holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not of the kind the option takes.
    NotOne,
    /// It is not, for this reason.
    Because(&'static str),
    /// It is, but this build lacks the feature of this name.
    Lacks(&'static str),
}

/// The longest prefix, in bytes: a stored key must fit where stores bound it (LMDB: 511 bytes).
const LONGEST_PREFIX: usize = 64;

/// What all keys of a cache begin with.
pub(super) fn prefix(text: &str) -> Result<String, Refusal> {
    if text.is_empty() {
        return Err(Refusal::Because("it is empty"));
    }
    if text.len() > LONGEST_PREFIX {
        return Err(Refusal::Because("it is too long"));
    }
    if text.contains(':') {
        return Err(Refusal::Because("`:` separates the prefix from the key"));
    }
    let unsafe_in_keys = |c: char| c.is_whitespace() || c.is_control() || r"*?[]{}%\".contains(c);
    if text.contains(unsafe_in_keys) {
        return Err(Refusal::Because("it has a character that keys cannot hold"));
    }
    Ok(text.to_owned())
}

/// A whole number that fits in `T`.
pub(super) fn whole<T: TryFrom<u64>>(text: &str) -> Result<T, Refusal> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::NotOne);
    }
    let number = text.parse::<u64>().ok().and_then(|number| T::try_from(number).ok());
    number.ok_or(Refusal::Because("it is too large"))
}

/// A whole number over zero.
pub(super) fn some(text: &str) -> Result<usize, Refusal> {
    whole(text).and_then(|number| if number == 0 { Err(Refusal::NotOne) } else { Ok(number) })
}

/// A number from 0 to `most`.
pub(super) fn number(text: &str, most: f64) -> Result<f64, Refusal> {
    let number: f64 = text.trim().parse().map_err(|_| Refusal::NotOne)?;
    // `-0` is zero; NaN is within no range.
    if (0.0..=most).contains(&number) { Ok(number.abs()) } else { Err(Refusal::NotOne) }
}

pub(super) fn boolean(text: &str) -> Result<bool, Refusal> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::NotOne),
    }
}

/// Whether everything is missing after a failover.
pub(super) fn forgets(text: &str) -> Result<bool, Refusal> {
    match text.trim() {
        "forget" => Ok(true),
        "resend" => Ok(false),
        _ => Err(Refusal::NotOne),
    }
}

pub(super) fn codec(text: &str) -> Result<Codec, Refusal> {
    match text.trim() {
        "msgpack" => built_codec(Codec::MessagePack),
        "json" => built_codec(Codec::Json),
        "bincode" => built_codec(Codec::Bincode),
        _ => Err(Refusal::NotOne),
    }
}

/// The codec, if this build has it.
pub(super) fn built_codec(codec: Codec) -> Result<Codec, Refusal> {
    match codec {
        Codec::MessagePack => built(cfg!(feature = "msgpack"), codec, "msgpack"),
        Codec::Json => built(cfg!(feature = "json"), codec, "json"),
        Codec::Bincode => built(cfg!(feature = "bincode"), codec, "bincode"),
    }
}

pub(super) fn compressor(text: &str) -> Result<Compressor, Refusal> {
    match text.trim() {
        "none" => Ok(Compressor::None),
        "zstd" => built_compressor(Compressor::ZSTD),
        "lz4" => built_compressor(Compressor::Lz4),
        _ => Err(Refusal::NotOne),
    }
}

/// The compressor, if this build has it.
pub(super) fn built_compressor(compressor: Compressor) -> Result<Compressor, Refusal> {
    match compressor {
        Compressor::None => Ok(compressor),
        Compressor::Zstd { .. } => built(cfg!(feature = "zstd"), compressor, "zstd"),
        Compressor::Lz4 => built(cfg!(feature = "lz4"), compressor, "lz4"),
    }
}

pub(super) fn single_flight(text: &str) -> Result<SingleFlight, Refusal> {
    match text.trim() {
        "cluster" => Ok(SingleFlight::Cluster),
        "process" => Ok(SingleFlight::Process),
        "off" => Ok(SingleFlight::Off),
        _ => Err(Refusal::NotOne),
    }
}

fn built<T>(is_built: bool, value: T, feature: &'static str) -> Result<T, Refusal> {
    if is_built { Ok(value) } else { Err(Refusal::Lacks(feature)) }
}
