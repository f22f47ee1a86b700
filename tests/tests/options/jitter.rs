//! `jitter`: the largest part of each timeout that is taken off at random.

use std::time::Duration;

use keyedcache::{CacheTtl, Error, Key, cached};
use keyedcache_tests::place::timed;

#[cached(cache = "o_jitter", timeout = 1_000, jitter = 0.5)]
fn with(x: u8) -> u8 {
    x
}

#[cached(cache = "o_jitter", timeout = 1_000)]
fn without(x: u8) -> u8 {
    x
}

#[test]
fn what_is_stored_together_does_not_end_together() -> Result<(), Error> {
    let (cache, _) = timed("o_jitter");
    let left = |key: Key| match cache.ttl(key).wait()? {
        CacheTtl::Left(left) => Ok(left),
        other => panic!("{other:?}"),
    };
    let lives = (0..50).map(|x| left(with::key(with(x)))).collect::<Result<Vec<_>, Error>>()?;
    let (most, half) = (Duration::from_secs(1_000), Duration::from_secs(500));
    assert!(lives.iter().all(|life| (half..=most).contains(life)), "{lives:?}");
    assert!(lives.iter().any(|life| *life != lives[0]), "{lives:?}");
    for x in 0..50 {
        assert_eq!(left(without::key(without(x)))?, most);
    }
    Ok(())
}
