//! Cache URLs: `scheme:path?option=value&option=value`, or several of them with commas between.
//!
//! Paths, option names and values are percent-decoded and must be UTF-8; `+` is a plus sign. The
//! `url` crate is not used: it brings Unicode tables that nothing here needs.

use std::path::{Path, PathBuf};

use super::CacheConfig;
use super::draft::Draft;
use super::known::{self, Kind, SCHEMES, Standing};
use super::nearest::nearest;
use super::{quote, several};
use crate::store::percent::decoded;

/// The cache that a URL describes; everything that is wrong with it otherwise.
pub(super) fn cache(url: &str) -> Result<CacheConfig, Vec<String>> {
    let (draft, mut wrong) = draft(url);
    if wrong.is_empty() {
        match draft.finish(Path::new("")) {
            Ok(config) => return Ok(config),
            Err(message) => wrong.push(message),
        }
    }
    Err(wrong)
}

/// What a URL describes as far as it can be understood, and what is wrong with it.
pub(super) fn draft(url: &str) -> (Draft, Vec<String>) {
    drafts(&several::split(url))
}

/// What several URLs describe, each of them a shard, and what is wrong with them.
pub(super) fn drafts(urls: &[&str]) -> (Draft, Vec<String>) {
    // Where one URL ends may have been told by a comma of a password.
    let harmless = urls.iter().all(|url| quote::is_harmless(url));
    let (mut shards, mut wrong) = (Vec::with_capacity(urls.len()), Vec::new());
    for (place, url) in urls.iter().enumerate() {
        let (shard, mistakes) = one(url, harmless);
        shards.push(shard);
        wrong.extend(mistakes.into_iter().map(|mistake| match urls.len() {
            1 => mistake,
            many => format!("url {} of {many}: {mistake}", place + 1),
        }));
    }
    let mut whole = shards.pop().unwrap_or_default();
    whole.shards_before = shards;
    (whole, wrong)
}

fn one(url: &str, harmless: bool) -> (Draft, Vec<String>) {
    let mut draft = Draft::default();
    let mut wrong = Vec::new();
    let url = url.trim();
    let (url, fragment) = url.split_once('#').map_or((url, None), |(url, rest)| (url, Some(rest)));
    let (scheme, path, query) = match split(url) {
        Ok(parts) => parts,
        Err(message) => return (draft, vec![message]),
    };
    match kind(scheme, path, harmless) {
        Ok(kind) => draft.kind = Some(kind),
        // What the options of another store are, nobody here knows.
        Err(message) => return (draft, vec![message]),
    }
    if fragment.is_some() {
        wrong.push("a `#` must be written `%23`".to_owned());
    }
    let placed = match draft.kind {
        Some(Kind::Redis) => servers(&mut draft, scheme, path),
        Some(Kind::S3) => bucket(&mut draft, path),
        kind => place(kind, path).map(|place| draft.path = place),
    };
    wrong.extend(placed.err());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if let Err(message) = option(&mut draft, pair, harmless) {
            wrong.push(message);
        }
    }
    (draft, wrong)
}

/// How messages name the URL: its scheme, and its path if the whole is free of secrets.
pub(super) fn shown(url: &str) -> String {
    if let many @ 2.. = several::split(url).len() {
        return format!("{many} urls");
    }
    let harmless = quote::is_harmless(url);
    let url = url.trim().split('#').next().unwrap_or("");
    let Ok((scheme, path, _)) = split(url) else {
        return "cache URL".to_owned();
    };
    let Some((scheme, standing)) = known_scheme(scheme) else {
        return "cache URL".to_owned();
    };
    let place = match standing {
        Standing::Built(kind) if harmless => place(Some(kind), path).ok(),
        _ => None,
    };
    match place.as_deref().and_then(Path::to_str).and_then(quote::path) {
        Some(path) => format!("url `{scheme}:{path}`"),
        None => format!("url `{scheme}:…`"),
    }
}

/// Scheme, path and query.
fn split(url: &str) -> Result<(&str, &str, &str), String> {
    match url.split_once(':') {
        Some((scheme, rest)) if several::is_scheme(scheme) => {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            Ok((scheme, path, query))
        }
        _ => Err(without_scheme(url)),
    }
}

fn without_scheme(url: &str) -> String {
    let first = url.split(|c: char| !c.is_ascii_alphanumeric() && c != '+').next().unwrap_or("");
    let meant = match known_scheme(first) {
        Some(("redis" | "rediss", _)) => format!("; did you mean `{first}://…`?"),
        Some((scheme, _)) => format!("; did you mean `{scheme}:…`?"),
        None if url.starts_with(['/', '.', '~']) => "; did you mean `disk:` and this path?".into(),
        None => String::new(),
    };
    format!("it does not begin with a scheme, such as `memory:` or `disk:/var/cache/app`{meant}")
}

pub(super) fn known_scheme(scheme: &str) -> Option<(&'static str, Standing)> {
    SCHEMES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(scheme))
}

fn kind(scheme: &str, path: &str, harmless: bool) -> Result<Kind, String> {
    match known_scheme(scheme) {
        Some((_, Standing::Built(kind))) => Ok(kind),
        Some((scheme, Standing::NeedsFeature(feature))) => Err(format!(
            "`{scheme}:` needs the feature `{feature}` of keyedcache, which this build lacks"
        )),
        None => Err(unknown_scheme(scheme, path, harmless)),
    }
}

/// Without `//` after it, what stands before the first colon may be a user name or a drive letter.
fn unknown_scheme(scheme: &str, path: &str, harmless: bool) -> String {
    let meant = nearest(scheme, SCHEMES.into_iter().map(|(known, _)| known));
    let is_followed = meant.is_some() && path.starts_with("//");
    let may_be_named = quote::is_name(scheme) && (harmless || is_followed);
    let what = if may_be_named { format!(" `{scheme}:`") } else { String::new() };
    let question = known::question(meant);
    format!("unknown scheme{what}{question} available are {}", known::usable_schemes())
}

/// The folder a path names; empty for stores that have none.
fn place(kind: Option<Kind>, path: &str) -> Result<PathBuf, String> {
    let (host, path) = match path.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", path),
    };
    if kind != Some(Kind::Disk) {
        return if host.is_empty() && path.is_empty() {
            Ok(PathBuf::new())
        } else {
            Err("this store has no path; options follow a `?`".to_owned())
        };
    }
    if !host.is_empty() {
        return Err("a disk store has no host; write `disk:/absolute/path` or \
                    `disk:relative/path`"
            .to_owned());
    }
    let path = decoded(path).map_err(|wrong| format!("in the path, {wrong}"))?;
    if path.is_empty() {
        return Err("the path is missing; write `disk:/var/cache/app`".to_owned());
    }
    if path.contains('\0') {
        return Err("the path holds a zero byte".to_owned());
    }
    Ok(PathBuf::from(path))
}

/// Takes the bucket an S3 URL names.
#[cfg(feature = "s3")]
fn bucket(draft: &mut Draft, path: &str) -> Result<(), String> {
    draft.s3.address = Some(super::S3Address::parse(path)?);
    Ok(())
}

#[cfg(not(feature = "s3"))]
fn bucket(_: &mut Draft, _: &str) -> Result<(), String> {
    unreachable!("its scheme needs the feature")
}

/// Takes the servers a Redis URL names.
#[cfg(feature = "redis")]
fn servers(draft: &mut Draft, scheme: &str, path: &str) -> Result<(), String> {
    let address = super::RedisAddress::parse(&scheme.to_ascii_lowercase(), path)?;
    draft.redis.address = Some(address);
    Ok(())
}

#[cfg(not(feature = "redis"))]
fn servers(_: &mut Draft, _: &str, _: &str) -> Result<(), String> {
    unreachable!("its scheme needs the feature")
}

fn option(draft: &mut Draft, pair: &str, harmless: bool) -> Result<(), String> {
    let (name, value) = match pair.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (pair, None),
    };
    let wrong_escape = |wrong: &str| format!("in an option, {wrong}");
    let name = decoded(name).map_err(wrong_escape)?;
    let Some(option) = known::option(&name) else {
        return draft.set(&name, "", harmless);
    };
    let Some(value) = value else {
        return Err(format!("`{}` has no value; it takes {}", option.name, option.takes));
    };
    let value = decoded(value).map_err(|wrong| format!("in `{}`, {wrong}", option.name))?;
    draft.set(&name, &value, harmless)
}
