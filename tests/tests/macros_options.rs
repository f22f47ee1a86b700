//! Options that change how one function's answers are kept.

use std::time::Duration;

use keyedcache::{Cache, CacheTtl, Error, Timeout, cached};

fn left(cache: &Cache, key: keyedcache::Key) -> Option<Duration> {
    match cache.ttl(key).wait() {
        Ok(CacheTtl::Left(left)) => Some(left),
        _ => None,
    }
}

fn about(left: Option<Duration>, seconds: u64) -> bool {
    let expected = Duration::from_secs(seconds);
    left.is_some_and(|left| left <= expected && left + Duration::from_secs(5) > expected)
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Token {
    expires_in: u64,
}

#[cached(cache = "adaptive", timeout = |token| token.expires_in)]
#[allow(clippy::unnecessary_wraps)] // that form is what is tested
fn token(expires_in: u64) -> Result<Token, String> {
    Ok(Token { expires_in })
}

#[cached(cache = "adaptive", timeout = |length: &Option<u64>| length.map(Duration::from_secs),
    timeout_none = 20, cache_if = |length| *length != Some(9))]
fn optional(length: u64) -> Option<u64> {
    length.checked_sub(1)
}

#[cached(cache = "adaptive", local, timeout = |x| if *x > 1 { Timeout::Never } else { 0.into() })]
fn kept(x: u64) -> u64 {
    x
}

#[test]
fn a_timeout_is_made_of_what_is_stored() -> Result<(), Error> {
    let cache = Cache::from_url("memory:")?;
    cache.register("adaptive")?;
    assert!(token(100).is_ok() && token(3_000).is_ok() && token(0).is_ok());
    assert!(about(left(&cache, token::key(100)), 100));
    assert!(about(left(&cache, token::key(3_000)), 3_000));
    assert!(token::peek(0).wait().is_err());
    assert_eq!((optional(0), optional(51), optional(10)), (None, Some(50), Some(9)));
    assert!(about(left(&cache, optional::key(0)), 20));
    assert!(about(left(&cache, optional::key(51)), 50));
    assert!(optional::peek(10).wait().is_err());
    assert_eq!((kept(1), kept(2)), (1, 2));
    assert!(kept::peek(1).wait().is_err());
    assert!(kept::peek(2).wait().is_ok());
    Ok(())
}

#[cached(name = "as-json", cache = "codecs", codec = "json")]
fn as_json(x: u64) -> Vec<u64> {
    vec![x]
}

#[cached(name = "as-bincode", cache = "codecs", codec = "bincode", version = 1)]
fn as_bincode(x: u64) -> Vec<u64> {
    vec![x]
}

#[cached(name = "as-usual", cache = "codecs", lease_max = "1h")]
fn as_usual(x: u64) -> Vec<u64> {
    vec![x]
}

#[test]
fn a_function_has_a_codec_of_its_own() -> Result<(), Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::from_url(&format!("disk:{}", folder.path().display()))?;
    cache.register("codecs")?;
    for x in [7, 7] {
        assert_eq!((as_json(x), as_bincode(x), as_usual(x)), (vec![7], vec![7], vec![7]));
    }
    let found = |codec: &[u8]| {
        let mut bytes = Vec::new();
        for entry in std::fs::read_dir(folder.path()).expect("the folder") {
            bytes.extend(std::fs::read(entry.expect("an entry").path()).unwrap_or_default());
        }
        bytes.windows(codec.len()).any(|window| window == codec)
    };
    assert!(found(b"[7]"), "JSON");
    assert_eq!(cache.stats().computed, 3);
    Ok(())
}
