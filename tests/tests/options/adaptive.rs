//! `timeout` as a closure over what is stored, of answers of every form.

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
