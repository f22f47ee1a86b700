//! Generic functions: each list of types has answers of its own.

#![allow(clippy::unused_async, clippy::needless_lifetimes, clippy::extra_unused_lifetimes)]

use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicUsize, Ordering};

use keyedcache::{Cache, Error, KeyPart, cache_delete_function, cached};
use keyedcache_tests::drive::wait as block_on;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cached(timeout = 60)]
fn width<T: KeyPart + Display>(x: T) -> usize {
    size_of_val(&x)
}

#[test]
fn instances_share_no_answer() {
    assert_eq!(width::<u8>(1), 1);
    assert_eq!(width::<u16>(1), 2);
    assert_eq!(width(1_u64), 8);
    assert_eq!(width(1_u8), 1);
    assert_ne!(width::key(1_u8), width::key(1_u16));
    assert!(width::key(1_u8).text().ends_with("width/u8|::1"), "{}", width::key(1_u8));
}

#[cached(timeout = 60)]
fn sum<T, const N: usize>(numbers: [T; N], more: &[T]) -> T
where
    T: KeyPart + Copy + Default + std::ops::Add<Output = T>,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    numbers.iter().chain(more).fold(T::default(), |sum, number| sum + *number)
}

#[test]
fn consts_bounds_and_where_clauses_are_kept() {
    assert_eq!(sum([1_u8, 2], &[3]), 6);
    assert_eq!(sum([1_u64, 2, 3], &[4]), 10);
    assert!(sum::key([1_u8, 2], &[3]).text().contains("sum/u8+2|"));
    assert_ne!(sum::key([1_u8, 2], &[3]), sum::key([1_u8, 2, 3], &[]));
}

#[cached(timeout = 60)]
async fn longest<'a, 'b: 'a, T>(one: &'a [T], other: &'b [T]) -> usize
where
    T: KeyPart + Send + Sync,
{
    one.len().max(other.len())
}

#[cached(timeout = 60, stale = 60)]
async fn doubled<T: KeyPart + Copy + Into<u64> + Send + Sync + 'static>(x: T) -> u64 {
    x.into() * 2
}

#[cached(timeout = 60, stale = 60)]
fn doubled_sync<T: KeyPart + Copy + Into<u64> + Send + Sync + 'static>(x: T) -> u64 {
    x.into() * 2
}

#[test]
fn async_and_refreshed_ones_may_be_generic() {
    assert_eq!(block_on(longest(&["a"], &["b", "c"])), 2);
    assert_eq!(block_on(doubled(3_u8)), 6);
    assert_eq!(block_on(doubled::<u16>(3)), 6);
    assert_eq!(doubled_sync(3_u8), 6);
}

#[cached(timeout = 60, skip(format))]
fn shown<T: KeyPart + Debug, F>(x: &T, format: F) -> String
where
    F: Fn(&T) -> String,
{
    format(x)
}

#[test]
fn a_skipped_argument_may_be_of_any_type() {
    assert_eq!(shown(&3, |x| format!("{x:?}!")), "3!");
}

#[cached(timeout = 60, timeout_err = 5)]
fn parsed<T>(text: &str) -> Result<T, String>
where
    T: std::str::FromStr + Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    text.parse().map_err(|_| format!("not so: {text}"))
}

#[test]
fn the_answer_alone_may_be_generic() -> Result<(), String> {
    assert_eq!(parsed::<u8>("7")?, 7);
    assert_eq!(parsed::<String>("7")?, "7");
    assert!(parsed::<u8>("x").is_err());
    assert_eq!(parsed::peek::<u8>("7").wait().expect("it is cached"), Ok(7));
    Ok(())
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cached(timeout = 60)]
fn length(text: impl KeyPart + AsRef<str>, _list: &[impl KeyPart]) -> usize {
    RUNS.fetch_add(1, Ordering::Relaxed);
    text.as_ref().len()
}

#[test]
fn impl_trait_arguments_that_are_equal_share_an_answer() -> Result<(), Error> {
    assert_eq!(length("four", &[1]), 4);
    assert_eq!(length(String::from("four"), &[1]), 4);
    assert_eq!(length(Box::<str>::from("four"), &[1_u64]), 4);
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
    assert_eq!(length::key("four", &[1]), length::key(String::from("four"), &[1_u8]));
    length::put("five", &[1], 55).wait()?;
    assert_eq!(length(String::from("five"), &[1_u16]), 55);
    length::invalidate("four".to_owned(), &[1]).wait()?;
    assert!(length::peek("four", &[1]).wait().is_err());
    Ok(())
}

#[cached(timeout = 60, cache = "generics-near")]
fn shown_near(x: impl KeyPart + Display) -> String {
    x.to_string()
}

#[cached(timeout = 60, cache = "generics-near")]
fn sized_near<T: KeyPart>(x: T) -> usize {
    size_of_val(&x)
}

#[test]
fn every_instance_has_a_near_cache() -> Result<(), Error> {
    let cache = Cache::from_url("memory:")?;
    cache.register("generics-near")?;
    let hits = |call: &dyn Fn()| {
        let before = cache.stats().near_hits;
        (0..3).for_each(|_| call());
        cache.stats().near_hits - before
    };
    assert_eq!(hits(&|| drop(shown_near(1_u8))), 2);
    assert_eq!(hits(&|| drop(shown_near(2_u64))), 2);
    assert_eq!(hits(&|| drop(shown_near("two"))), 2);
    assert_eq!(hits(&|| assert_eq!(sized_near(1_u8), 1)), 2);
    assert_eq!(hits(&|| assert_eq!(sized_near(1_u16), 2)), 2);
    sized_near::invalidate_all().wait()?;
    assert_eq!(hits(&|| assert_eq!(sized_near(1_u16), 2)), 2);
    Ok(())
}

#[cached(timeout = 60)]
fn forgotten<T: KeyPart>(x: T) -> usize {
    size_of_val(&x)
}

#[test]
fn deletion_reaches_one_call_or_all_instances() -> Result<(), Error> {
    let is_cached =
        || [forgotten::peek(1_u8).wait().is_ok(), forgotten::peek(1_u16).wait().is_ok()];
    forgotten(1_u8);
    forgotten(1_u16);
    cache_delete_function!(forgotten::<u8>(1)).wait()?;
    assert_eq!(is_cached(), [false, true]);
    forgotten(1_u8);
    cache_delete_function!(forgotten).wait()?;
    assert_eq!(is_cached(), [false; 2]);
    Ok(())
}

#[test]
fn requests_of_generic_functions_can_be_sent_anywhere() {
    fn assert_static_and_send<T: Send + 'static>(_: &T) {}
    assert_static_and_send(&width::peek(1_u8));
    assert_static_and_send(&length::invalidate("four", &[1]));
}
