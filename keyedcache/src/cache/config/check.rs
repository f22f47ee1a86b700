//! Checks what was said in code, where no text was read.

use std::time::Duration;

use super::value::{Refusal, built_codec, built_compressor, prefix};
use super::{CacheOptions, mistake};
use crate::error::Error;

/// Whether this can be the name of a cache.
pub(super) fn is_alias(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// Refuses what cannot be the name of a cache.
pub(in crate::cache) fn check_alias(name: &str) -> Result<(), Error> {
    if is_alias(name) {
        return Ok(());
    }
    let wrong = "the name of a cache takes letters, digits, `_` and `-`";
    Err(mistake::all_in("register", vec![wrong.to_owned()]))
}

/// Refuses options that no text would have got past its reader.
pub(in crate::cache) fn check(options: &CacheOptions) -> Result<(), Error> {
    let mut wrong = Vec::new();
    if let Some(given) = &options.prefix {
        match prefix(given) {
            Ok(_) => {}
            Err(Refusal::Because(reason)) => wrong.push(format!("`prefix`: {reason}")),
            Err(_) => wrong.push("`prefix` is none".to_owned()),
        }
    }
    let codec = options.codec.and_then(|codec| built_codec(codec).err());
    let compressor = options.compressor.and_then(|compressor| built_compressor(compressor).err());
    for (name, refusal) in [("codec", codec), ("compressor", compressor)] {
        if let Some(Refusal::Lacks(feature)) = refusal {
            wrong.push(format!(
                "`{name}` needs the feature `{feature}` of keyedcache, which this build lacks"
            ));
        }
    }
    if options.early.is_some_and(|beta| !(beta >= 0.0 && beta.is_finite())) {
        wrong.push("`early` takes a number from 0 on".to_owned());
    }
    if options.jitter.is_some_and(|jitter| !(0.0..=1.0).contains(&jitter)) {
        wrong.push("`jitter` takes a number from 0 to 1".to_owned());
    }
    for (name, given) in [
        ("lease", options.lease),
        ("lease_max", options.lease_max),
        ("store_timeout", options.store_timeout),
    ] {
        if given == Some(Duration::ZERO) {
            wrong.push(format!("`{name}` takes a duration above zero"));
        }
    }
    if let (Some(lease), Some(most)) = (options.lease, options.lease_max)
        && lease > most
    {
        wrong.push("`lease` is longer than `lease_max`".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(mistake::all_in("builder", wrong)) }
}
