//! Which flights the code that runs here and now is the body of.
//!
//! Known only down the stack of one poll: what a body spawns elsewhere is not seen, and is bounded
//! by `wait` instead.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

thread_local! {
    static LED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// What `of` makes of the flights; of none where the thread is about to end, and nobody knows them
/// any more: what a destructor calls then is bounded by `wait` too.
fn led<T: Default>(of: impl FnOnce(&mut Vec<u64>) -> T) -> T {
    LED.try_with(|led| of(&mut led.borrow_mut())).unwrap_or_default()
}

/// Whether the code that runs here is within the body of this flight.
pub(crate) fn is_leading(flight: u64) -> bool {
    led(|led| led.contains(&flight))
}

/// Whether the code that runs here is within the body of any flight.
pub(crate) fn is_within_a_body() -> bool {
    led(|led| !led.is_empty())
}

/// Until it is dropped, what runs here is within the body of `flight`.
#[must_use]
pub(crate) fn lead_in_sync(flight: u64) -> Led {
    led(|led| led.push(flight));
    Led(())
}

/// The flights whose bodies the code that runs here is in, for another thread that runs on its behalf.
pub(crate) fn led_here() -> LedHere {
    LedHere(led(|led| led.clone()))
}

pub(crate) struct LedHere(Vec<u64>);

impl LedHere {
    /// Until it is dropped, what runs on this thread is within the same bodies.
    #[must_use]
    pub(crate) fn enter(self) -> Vec<Led> {
        self.0.into_iter().map(lead_in_sync).collect()
    }
}

pub(crate) struct Led(());

impl Drop for Led {
    fn drop(&mut self) {
        led(Vec::pop);
    }
}

/// A body that knows, whenever it is polled, whose body it is.
pub(crate) struct Leading<F> {
    flight: u64,
    body: Pin<Box<F>>,
}

impl<F: Future> Leading<F> {
    pub(crate) fn new(flight: u64, body: Pin<Box<F>>) -> Self {
        Self { flight, body }
    }
}

impl<F: Future> Future for Leading<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _led = lead_in_sync(self.flight);
        self.body.as_mut().poll(context)
    }
}
