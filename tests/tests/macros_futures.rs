//! Functions that return their answer in a future that they name.

#![allow(clippy::manual_async_fn)]

use std::future::ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyedcache::cached;
use keyedcache_tests::drive::wait as block_on;

fn assert_send<T: Send>(value: T) -> T {
    value
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

/// Another name for a future.
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[cached(timeout = 60)]
fn unnamed(x: u8) -> impl Future<Output = u8> + Send {
    RUNS.fetch_add(1, Ordering::Relaxed);
    ready(x)
}

#[cached(timeout = 60)]
#[allow(clippy::manual_async_fn)] // that form is what is tested
fn borrowing<'a>(x: &'a str, y: &'a str) -> impl Future<Output = String> + use<'a> {
    async move { format!("{x}{y}") }
}

#[cached(timeout = 60, stale = 60)]
fn refreshed(x: &str) -> impl std::future::Future<Output = String> + Send {
    ready(x.to_owned())
}

#[cached(timeout = 60)]
fn boxed(x: u8) -> Pin<Box<dyn Future<Output = Result<u8, String>> + Send>> {
    RUNS.fetch_add(1, Ordering::Relaxed);
    Box::pin(ready(x.checked_sub(1).ok_or_else(String::new)))
}

#[cached(timeout = 60)]
fn boxed_borrowing(x: &str) -> BoxFuture<'_, usize> {
    Box::pin(async move { x.len() })
}

#[cached(timeout = 60)]
fn boxed_recursive(n: u64) -> std::pin::Pin<std::boxed::Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move { if n == 0 { 0 } else { n + boxed_recursive(n - 1).await } })
}

#[test]
fn the_answer_is_what_the_future_puts_out() {
    assert_eq!(block_on(assert_send(unnamed(3))), 3);
    assert_eq!(block_on(unnamed(3)), 3);
    assert_eq!(block_on(assert_send(boxed(3))), Ok(2));
    assert_eq!(block_on(boxed(3)), Ok(2));
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    assert!(block_on(boxed(0)).is_err());
    assert_eq!(block_on(borrowing("a", "b")), "ab");
    assert_eq!(block_on(refreshed("a")), "a");
    assert_eq!(block_on(boxed_borrowing("abc")), 3);
    assert_eq!(block_on(boxed_recursive(10)), 55);
}

#[test]
fn nothing_runs_before_the_first_poll() {
    #[cached(timeout = 60)]
    fn counted(_x: u8) -> impl Future<Output = ()> + Send {
        POLLED.fetch_add(1, Ordering::Relaxed);
        ready(())
    }
    static POLLED: AtomicUsize = AtomicUsize::new(0);
    drop(counted(1));
    assert_eq!(POLLED.load(Ordering::Relaxed), 0);
    block_on(counted(1));
    assert_eq!(POLLED.load(Ordering::Relaxed), 1);
}

#[test]
fn companions_are_about_the_answer() {
    assert_eq!(boxed::refresh(9).wait(), Ok(8));
    assert_eq!(boxed::peek(9).wait().ok(), Some(Ok(8)));
    assert_eq!(block_on(boxed::uncached(9)), Ok(8));
    assert!(unnamed::put(7, 70).wait().is_ok());
    assert_eq!(block_on(unnamed(7)), 70);
}

struct Service;

trait Answering {
    fn answer(&self, x: u8) -> BoxFuture<'_, u8>;
    fn plain(&self, x: u8) -> impl Future<Output = u8> + Send;
}

#[cached]
impl Answering for Service {
    #[cached(timeout = 60, skip(self))]
    fn answer(&self, x: u8) -> BoxFuture<'_, u8> {
        Box::pin(ready(x))
    }

    #[cached(timeout = 60, skip(self))]
    fn plain(&self, x: u8) -> impl Future<Output = u8> + Send {
        ready(x)
    }
}

#[test]
fn methods_return_futures_too() {
    assert_eq!(block_on(Service.answer(3)), 3);
    assert_eq!(Service::answer_peek(3).wait().ok(), Some(3));
    assert_eq!(block_on(Service.plain(3)), 3);
}
