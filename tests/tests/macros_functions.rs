//! `#[cached]` on every form of free function: what is called answers as it would without.

#![allow(clippy::unused_async, clippy::toplevel_ref_arg, clippy::unnecessary_wraps)]
#![allow(clippy::ref_option, clippy::needless_lifetimes, clippy::trivially_copy_pass_by_ref)]

use std::time::Duration;

use keyedcache::cached;
use keyedcache_tests::drive::wait as block_on;
use serde::{Deserialize, Serialize};

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Product {
    id: u64,
    name: String,
}

/// An error that cannot be cloned.
#[derive(Debug, PartialEq)]
struct Refused;

#[cached(timeout = 60)]
fn add(x: i32, y: i32) -> i32 {
    x + y
}

#[cached(timeout = "5m")]
async fn add_async(x: i32, y: i32) -> i32 {
    std::future::ready(x + y).await
}

#[test]
fn sync_and_async_functions_answer() {
    assert_eq!(add(2, 6), 8);
    assert_eq!(block_on(assert_send(add_async(2, 6))), 8);
}

#[cached]
fn without_arguments() -> u8 {
    3
}

#[cached]
fn without_answer(_x: u8) {}

#[cached]
async fn without_anything() {}

#[test]
fn arguments_and_answers_may_be_missing() {
    assert_eq!(without_arguments(), 3);
    without_answer(3);
    block_on(without_anything());
    assert!(without_arguments::key().text().ends_with("without_arguments"));
}

#[cached(timeout = 60)]
fn borrowed(name: &str, parts: &[u8], extra: &Option<String>) -> String {
    format!("{name}{parts:?}{extra:?}")
}

#[cached(timeout = 60)]
async fn borrowed_async<'a, 'b: 'a>(name: &'a str, other: &'b str) -> String {
    std::future::ready(()).await;
    format!("{name}{other}")
}

#[cached(timeout = 60, stale = 60)]
async fn borrowed_async_stale<'a>(name: &'a str, parts: &[u8], count: u8) -> String {
    format!("{name}{parts:?}{count}")
}

#[cached(timeout = 60, stale = 60)]
fn borrowed_stale(name: &str, fixed: &'static str, product: &Option<u8>) -> String {
    format!("{name}{fixed}{product:?}")
}

#[test]
fn borrowed_arguments_are_passed_on() {
    let name = String::from("a");
    assert_eq!(borrowed(&name, &[1], &None), "a[1]None");
    assert_eq!(block_on(assert_send(borrowed_async(&name, "b"))), "ab");
    assert_eq!(block_on(assert_send(borrowed_async_stale(&name, &[1], 2))), "a[1]2");
    assert_eq!(borrowed_stale(&name, "b", &Some(1)), "abSome(1)");
    let refreshed = borrowed_async::refresh(&name, "b");
    assert_eq!(block_on(async { refreshed.await }), "ab");
    let peeked = borrowed::peek(&name, &[1], &None);
    drop(name);
    assert_eq!(peeked.wait().ok().as_deref(), Some("a[1]None"));
}

#[cached]
fn names(key: u8, cache: u8, result: u8, value: u8, site: u8, r#type: u8, __kc: u8) -> u32 {
    [key, cache, result, value, site, r#type, __kc].into_iter().map(u32::from).sum()
}

#[cached]
fn patterns((a, b): (u8, u8), _: u8, mut c: u32, _ignored: bool) -> u32 {
    c += u32::from(a) + u32::from(b);
    c
}

#[cached]
async fn patterns_async((a, b): (u8, u8), _: u8, mut c: u32, ref d: String) -> u32 {
    c += u32::from(a) + u32::from(b);
    c + u32::try_from(d.len()).expect("short")
}

#[cached]
fn r#match(r#type: u8) -> u8 {
    r#type
}

#[test]
fn arguments_are_called_anything() {
    assert_eq!(names(1, 2, 3, 4, 5, 6, 7), 28);
    names::put(1, 2, 3, 4, 5, 6, 7, 28).wait().expect("nothing to go wrong");
    assert_eq!(patterns((1, 2), 9, 3, true), 6);
    assert_eq!(block_on(patterns_async((1, 2), 9, 3, "four".to_owned())), 10);
    assert_eq!(r#match(3), 3);
    r#match::invalidate(3).wait().expect("nothing to go wrong");
}

type Answer<T> = Result<T, Refused>;

#[cached(timeout = 60)]
fn fails(x: u8) -> Answer<Product> {
    let name = char::from_digit(x.into(), 10).ok_or(Refused)?.to_string();
    Ok(Product { id: x.into(), name })
}

#[cached(timeout = 60, timeout_none = 5, cache_if = |answer| *answer != Some(7))]
async fn maybe(x: u8) -> Option<u8> {
    x.checked_sub(1)
}

#[cached(timeout = 60, timeout_err = "5s", timeout_none = 1)]
fn fails_or_not(x: u8) -> Result<Option<u8>, String> {
    if x > 9 { Err("large".to_owned()) } else { Ok(x.checked_sub(1)) }
}

#[test]
fn results_and_options_are_answers() {
    assert_eq!(fails(10), Err(Refused));
    assert_eq!(fails(3).map(|product| product.id), Ok(3));
    assert_eq!(block_on(maybe(0)), None);
    assert_eq!(fails_or_not(0), Ok(None));
    assert!(fails_or_not(10).is_err());
}

#[cached(timeout = 60)]
fn sum_below(n: u64) -> u64 {
    if n == 0 { 0 } else { n + sum_below(n - 1) }
}

#[cached(timeout = 60, stale = 60)]
fn sum_below_stale(n: u64) -> u64 {
    if n == 0 { 0 } else { n + sum_below_stale(n - 1) }
}

#[cached(timeout = 60)]
async fn sum_below_async(n: u64) -> u64 {
    if n == 0 { 0 } else { n + sum_below_async(n - 1).await }
}

#[cached(timeout = 60, stale = "1h", early)]
async fn sum_below_async_stale(n: u64) -> u64 {
    if n == 0 { 0 } else { n + sum_below_async_stale(n - 1).await }
}

#[cached]
async fn even(n: u64) -> bool {
    n == 0 || odd(n - 1).await
}

#[cached(early, timeout = 5)]
async fn odd(n: u64) -> bool {
    n != 0 && even(n - 1).await
}

/// Runs on a stack of 8 MiB, as the main thread of a program has it.
fn on_eight_mebibytes<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(run).expect("a thread");
    thread.join().expect("it does not panic")
}

#[test]
fn sync_functions_recur_five_thousand_deep() {
    assert_eq!(on_eight_mebibytes(|| sum_below(5_000)), 12_502_500);
    assert_eq!(on_eight_mebibytes(|| sum_below_stale(5_000)), 12_502_500);
}

#[test]
fn async_functions_recur_a_thousand_deep_without_boxing() {
    let sum = || block_on(assert_send(sum_below_async(1_000)));
    assert_eq!(on_eight_mebibytes(sum), 500_500);
    let sum = || block_on(assert_send(sum_below_async_stale(1_000)));
    assert_eq!(on_eight_mebibytes(sum), 500_500);
    assert!(on_eight_mebibytes(|| block_on(assert_send(even(1_000)))));
}

#[test]
fn futures_that_are_not_send_stay_so() {
    #[cached(local)]
    async fn unsendable(x: u8) -> u8 {
        let cell = std::rc::Rc::new(x);
        std::future::ready(()).await;
        *cell
    }
    assert_eq!(block_on(unsendable(3)), 3);
}

#[test]
fn functions_of_one_name_in_two_functions_have_keys_of_their_own() {
    fn first() -> keyedcache::Key {
        #[cached]
        fn inner(x: u8) -> u8 {
            x
        }
        assert_eq!(inner(1), 1);
        inner::key(1)
    }
    fn second() -> keyedcache::Key {
        #[cached]
        fn inner(x: u8) -> u8 {
            x
        }
        assert_eq!(inner(1), 1);
        inner::key(1)
    }
    assert_ne!(first(), second());
}

macro_rules! cached_by_macro {
    ($name:ident, $argument:ident, $answer:ty) => {
        #[cached(timeout = 60, key = $argument / 2)]
        fn $name($argument: u8, other: $answer) -> $answer {
            <$answer>::from($argument) + other
        }
    };
}
cached_by_macro!(by_macro, x, u32);

#[test]
fn functions_that_macros_write_are_cached() {
    assert_eq!(by_macro(3, 4), 7);
    assert_eq!(by_macro::key(2), by_macro::key(3));
}

/// Docs, lints and other attributes stay where they are.
#[cached(timeout = 60)]
#[inline]
#[must_use]
#[allow(clippy::too_many_arguments)]
#[expect(clippy::many_single_char_names)]
#[cfg(not(any()))]
fn attributes(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, #[allow(unused)] h: u8) -> u8 {
    a + b + c + d + e + f + g
}

#[cached]
#[cfg(any())]
fn configured_away(x: NoSuchType) -> NoSuchType {
    x
}

#[test]
fn attributes_are_kept() {
    assert_eq!(attributes(1, 1, 1, 1, 1, 1, 1, 1), 7);
}

#[cached(local)]
fn fixed(x: bool) -> &'static str {
    if x { "yes" } else { "no" }
}

/// Not for serde.
#[derive(Clone, Debug, PartialEq)]
struct Local(std::sync::Arc<str>);

#[cached(local, timeout = Never, near = 10)]
fn unserialized(x: u8) -> Result<Local, Refused> {
    Ok(Local(x.to_string().into()))
}

#[test]
fn local_answers_need_no_serde() {
    assert_eq!(fixed(true), "yes");
    assert_eq!(unserialized(3), Ok(Local("3".into())));
}

const HOUR: Duration = Duration::from_hours(1);

#[cached(
    timeout = 2 * HOUR,
    stale = HOUR,
    stale_if_error = Duration::from_secs(5),
    refresh = "foreground",
    early = 1.5,
    jitter = 0.1,
    name = "options",
    version = 2,
    cache = "default",
    near = 1_000,
    single_flight = "process",
    wait = "10s",
    lease = "30s",
    companion = AllOptions,
    crate = ::keyedcache,
)]
async fn options(x: &str) -> Result<String, std::io::Error> {
    Ok(x.to_owned())
}

#[test]
fn every_option_is_taken() {
    assert_eq!(block_on(options("x")).ok().as_deref(), Some("x"));
    assert_eq!(AllOptions::key("x").text(), "options::x");
}

/// How often a function of this test has run.
static RUNS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

fn run() {
    RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
}

/// How often the functions run during this.
fn runs(of: impl Fn()) -> usize {
    let before = RUNS.load(std::sync::atomic::Ordering::Relaxed);
    of();
    RUNS.load(std::sync::atomic::Ordering::Relaxed) - before
}

#[test]
fn every_form_runs_once_for_what_it_stores() {
    #[cached(timeout = 60)]
    fn plain(x: u8) -> u8 {
        run();
        x
    }
    #[cached(timeout = 60, stale = 60)]
    fn refreshed(x: &str) -> String {
        run();
        x.to_owned()
    }
    #[cached(timeout = 60)]
    async fn awaited(x: u8) -> Option<u8> {
        run();
        x.checked_sub(1)
    }
    #[cached(timeout = 60, stale = 60)]
    async fn awaited_refreshed(x: &str) -> Result<String, Refused> {
        run();
        x.parse::<u8>().map(|number| number.to_string()).map_err(|_| Refused)
    }
    #[cached(local)]
    fn kept(x: u8) -> Local {
        run();
        Local(x.to_string().into())
    }
    #[cached(timeout_err = 60, key = x / 10)]
    fn failing(x: u8) -> Result<u8, String> {
        run();
        Err(x.to_string())
    }
    #[cached(cache_if = |answer| answer % 2 == 0)]
    fn even_only(x: u8) -> u8 {
        run();
        x
    }

    let twice = |call: &dyn Fn()| runs(|| (0..2).for_each(|_| call()));
    assert_eq!(twice(&|| assert_eq!(plain(1), 1)), 1);
    assert_eq!(twice(&|| assert_eq!(refreshed("a"), "a")), 1);
    assert_eq!(twice(&|| assert_eq!(block_on(awaited(0)), None)), 1);
    assert_eq!(twice(&|| assert_eq!(block_on(awaited_refreshed("1")).as_deref(), Ok("1"))), 1);
    assert_eq!(twice(&|| assert_eq!(block_on(awaited_refreshed("a")), Err(Refused))), 2);
    assert_eq!(twice(&|| assert_eq!(kept(1), Local("1".into()))), 1);
    assert_eq!(twice(&|| assert_eq!(failing(11), Err("11".to_owned()))), 1);
    assert_eq!(runs(|| assert_eq!(failing(12), Err("11".to_owned()))), 0);
    assert_eq!(twice(&|| assert_eq!(even_only(2), 2)), 1);
    assert_eq!(twice(&|| assert_eq!(even_only(3), 3)), 2);
}
