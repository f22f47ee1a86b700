//! `scope(…)`: calls that are forgotten by some of their arguments.

use keyedcache::{Cache, Error, KeyPart, cache_delete_function, cached};
use keyedcache_tests::drive::wait as block_on;

#[cached(timeout = 60, scope(x, (x, z)))]
fn find(x: i32, y: &str, z: u8) -> String {
    format!("{x}{y}{z}")
}

fn cached(calls: [(i32, &str, u8); 4]) -> [bool; 4] {
    calls.map(|(x, y, z)| find::peek(x, y, z).wait().is_ok())
}

#[test]
fn calls_are_forgotten_by_an_argument() -> Result<(), Error> {
    let calls = [(1, "a", 1), (1, "b", 2), (2, "a", 1), (2, "b", 2)];
    assert_eq!(calls.map(|(x, y, z)| find(x, y, z)), ["1a1", "1b2", "2a1", "2b2"]);
    assert_eq!(cached(calls), [true; 4]);
    cache_delete_function!(find(1, _, _)).wait()?;
    assert_eq!(cached(calls), [false, false, true, true]);
    block_on(async { cache_delete_function!(self::find(1 + 1, _, 2)).await })?;
    assert_eq!(cached(calls), [false, false, true, false]);
    assert_eq!(calls.map(|(x, y, z)| find(x, y, z)), ["1a1", "1b2", "2a1", "2b2"]);
    assert_eq!(cached(calls), [true; 4]);
    cache_delete_function!(find).wait()?;
    assert_eq!(cached(calls), [false; 4]);
    Ok(())
}

#[cached(timeout = 60, scope(x), cache = "scope-near", stale = 60)]
fn near(x: u8, y: u8) -> u8 {
    x + y
}

#[cached(local, scope(x))]
fn local(x: u8, y: u8) -> u8 {
    x + y
}

#[test]
fn near_entries_go_too() -> Result<(), Error> {
    let cache = Cache::from_url("memory:")?;
    cache.register("scope-near")?;
    for _ in 0..2 {
        assert_eq!(near(1, 2), 3);
    }
    assert_eq!((cache.stats().near_hits, cache.stats().computed), (1, 1));
    cache_delete_function!(near(1, _)).wait()?;
    assert_eq!(near(1, 2), 3);
    assert_eq!(cache.stats().computed, 2);
    assert_eq!(local(1, 2), 3);
    assert!(local::peek(1, 2).wait().is_ok());
    cache_delete_function!(local(1, _)).wait()?;
    assert!(local::peek(1, 2).wait().is_err());
    Ok(())
}

#[derive(Debug, Clone, Copy)]
struct Repo;

#[cached]
impl Repo {
    #[cached(timeout = 60, skip(self), scope(tenant))]
    async fn find<T: KeyPart + Sync>(&self, tenant: u32, id: T) -> usize {
        std::future::ready(tenant as usize + size_of_val(&id)).await
    }
}

#[test]
fn methods_and_generic_functions_have_scopes() -> Result<(), Error> {
    block_on(async {
        Repo.find(1, 1_u8).await;
        Repo.find(1, 1_u16).await;
        Repo.find(2, 1_u8).await;
        cache_delete_function!(Repo::find(1, _)).await
    })?;
    assert!(Repo::find_peek(1, 1_u8).wait().is_err());
    assert!(Repo::find_peek(1, 1_u16).wait().is_err());
    assert!(Repo::find_peek(2, 1_u8).wait().is_ok());
    Ok(())
}
