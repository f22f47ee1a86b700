//! Functions that are cached without the attribute.

#![allow(clippy::unused_async)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyedcache::{Timeout, cache_async_function, cache_delete_function, cache_function};
use keyedcache_tests::drive::wait as block_on;

/// What panicked said.
fn panic_of(act: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(act).expect_err("it panics");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn an_answer_is_computed_once_for_each_call() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    fn nearest(x: i32, y: i32) -> String {
        RUNS.fetch_add(1, Ordering::Relaxed);
        format!("{x},{y}")
    }
    let cached = cache_function(60, nearest);
    assert_eq!([cached(2, 6), cached(2, 6), cached(6, 2)], ["2,6", "2,6", "6,2"]);
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);
}

#[test]
fn an_async_answer_is_computed_once_for_each_call() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    async fn nearest(x: i32, y: i32) -> String {
        tokio::task::yield_now().await;
        RUNS.fetch_add(1, Ordering::Relaxed);
        format!("{x},{y}")
    }
    let cached = cache_async_function(Duration::from_mins(1), nearest);
    let answers = block_on(async {
        let task = tokio::spawn(cached(2, 6));
        [cached(2, 6).await, task.await.unwrap(), cached(6, 2).await]
    });
    assert_eq!(answers, ["2,6", "2,6", "6,2"]);
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);
}

#[test]
fn functions_of_no_and_of_eight_arguments_are_wrapped() {
    fn none() -> u8 {
        3
    }
    #[allow(clippy::too_many_arguments, clippy::many_single_char_names)]
    fn eight(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: String) -> Vec<u8> {
        [vec![a, b, c, d, e, f, g], h.into_bytes()].concat()
    }
    assert_eq!(cache_function(60, none)(), 3);
    let cached = cache_function(Timeout::Never, eight);
    assert_eq!(cached(1, 2, 3, 4, 5, 6, 7, "8".into()), [1, 2, 3, 4, 5, 6, 7, b'8']);
}

#[test]
fn what_comes_out_is_a_function_to_pass_on() {
    fn double(x: i32) -> i32 {
        2 * x
    }
    let cached = cache_function(60, double);
    assert_eq!([1, 2].map(cached), [2, 4]);
    assert_eq!(std::thread::spawn(move || cached(3)).join().unwrap(), 6);
    assert_eq!(cached(1), 2);
}

#[test]
fn deleting_the_undecorated_function_forgets_every_call() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    fn nearest(x: i32) -> i32 {
        RUNS.fetch_add(1, Ordering::Relaxed);
        x
    }
    fn neighbour(x: i64) -> i64 {
        RUNS.fetch_add(100, Ordering::Relaxed);
        x
    }
    let (cached, other) = (cache_function(60, nearest), cache_function(60, neighbour));
    let _ = (cached(1), cached(2), other(1));
    cache_delete_function(nearest).wait().unwrap();
    let _ = (cached(1), cached(2), other(1));
    assert_eq!(RUNS.load(Ordering::Relaxed), 104);
    block_on(async { cache_delete_function(nearest).await }).unwrap();
    assert_eq!(cached(1), 1);
    assert_eq!(RUNS.load(Ordering::Relaxed), 105);
}

#[test]
fn an_async_function_is_deleted_by_its_name_too() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    async fn nearest(x: i32) -> i32 {
        RUNS.fetch_add(1, Ordering::Relaxed);
        x
    }
    let cached = cache_async_function(60, nearest);
    block_on(async {
        cached(1).await;
        cache_delete_function(nearest).await.unwrap();
        cached(1).await;
    });
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);
}

#[keyedcache::cached(timeout = 60)]
fn decorated(x: usize) -> usize {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    x + RUNS.fetch_add(1, Ordering::Relaxed)
}

#[test]
fn the_macro_and_the_function_of_one_name_forget_the_same() {
    let first = decorated(0);
    assert_eq!(decorated(0), first);
    cache_delete_function!(decorated(0)).wait().unwrap();
    let second = decorated(0);
    assert_ne!(second, first);
    cache_delete_function(decorated).wait().unwrap();
    assert_ne!(decorated(0), second);
}

#[test]
fn an_err_is_not_kept_and_an_ok_is() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[allow(clippy::needless_pass_by_value)] // what is cached owns its arguments
    fn parse(text: String) -> Result<u8, String> {
        RUNS.fetch_add(1, Ordering::Relaxed);
        text.parse().map_err(|_| format!("`{text}` is no number"))
    }
    let cached = cache_function(60, parse);
    for _ in 0..2 {
        assert_eq!(cached("x".into()), Err("`x` is no number".to_owned()));
        assert_eq!(cached("7".into()), Ok(7));
    }
    assert_eq!(RUNS.load(Ordering::Relaxed), 3);
}

#[test]
fn a_none_is_kept() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    fn find(_: u8) -> Option<u8> {
        RUNS.fetch_add(1, Ordering::Relaxed);
        None
    }
    let cached = cache_function(60, find);
    assert_eq!((cached(1), cached(1)), (None, None));
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
}

#[test]
fn wrapping_twice_gives_the_same() {
    fn double(x: i32) -> i32 {
        2 * x
    }
    let (once, again) = (cache_function(60, double), cache_function(60, double));
    assert!(std::ptr::addr_eq(once, again));
}

#[test]
fn each_timeout_is_its_own() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    fn double(x: i32) -> i32 {
        RUNS.fetch_add(1, Ordering::Relaxed);
        2 * x
    }
    let never_stored = cache_function(Duration::ZERO, double);
    let _ = (never_stored(1), never_stored(1));
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    let cached = cache_function(60, double);
    let _ = (cached(1), cached(1));
    assert_eq!(RUNS.load(Ordering::Relaxed), 3);
}

#[test]
fn closures_are_refused() {
    let said = panic_of(|| {
        cache_function(60, |x: i32| x);
    });
    assert!(said.contains("closures share names") && said.contains("write a function"), "{said}");
    let said = panic_of(|| {
        let _ = cache_delete_function(|x: i32| x);
    });
    assert!(said.contains("closures share names"), "{said}");
}

#[test]
fn generic_items_of_closures_are_refused() {
    fn through<F: Fn() -> u8 + Copy + Send + Sync + 'static>(
        x: u8,
        _: std::marker::PhantomData<F>,
    ) -> u8 {
        x
    }
    fn wrap<F: Fn() -> u8 + Copy + Send + Sync + 'static>(_: F) -> String {
        panic_of(|| {
            let _ = cache_delete_function(through::<F>);
        })
    }
    assert!(wrap(|| 1).contains("closures share names"));
}

#[test]
fn two_functions_of_one_path_never_share_answers() {
    let one = || {
        fn inner() -> u8 {
            1
        }
        cache_function(60, inner)()
    };
    let other = || {
        fn inner() -> u8 {
            2
        }
        panic_of(|| {
            cache_function(60, inner);
        })
    };
    assert_eq!(one(), 1);
    assert!(other().contains("another function has the path"));
}

#[test]
fn a_generic_function_has_answers_for_each_of_its_types() {
    fn size<T: 'static>() -> usize {
        size_of::<T>()
    }
    assert_eq!(cache_function(60, size::<u8>)(), 1);
    assert_eq!(cache_function(60, size::<u16>)(), 2);
}
