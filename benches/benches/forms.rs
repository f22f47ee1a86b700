//! A hit in the near cache of every form of function, against the plain function's; and what hits
//! allocate.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use keyedcache::{Cache, KeyPart, cached};
use keyedcache_benches::{Contest, Outcome, print_table, print_target, time, zipf};

const KEYS: usize = 10_000;
const ROOM: usize = 16_384;
const CALLS: usize = 1 << 15;
const ROUNDS: usize = 101;

const PLAIN: &str = "a plain function";
const METHOD: &str = "a method, skip(self)";
const METHOD_OF: &str = "a method, self in the key";
const ASYNC: &str = "an async function, polled once";
const GENERIC: &str = "a generic function, the third of five types";

#[cached(timeout = 600)]
fn plain(a: u64, b: u64) -> Arc<str> {
    format!("the answer of {a} and {b}").into()
}

#[cached(timeout = 600)]
async fn awaited(a: u64, b: u64) -> Arc<str> {
    std::future::ready(format!("the answer of {a} and {b}").into()).await
}

#[cached(timeout = 600)]
fn generic<T: KeyPart + Copy + Into<u64>>(a: T, b: u64) -> Arc<str> {
    format!("the answer of {} and {b}", a.into()).into()
}

#[derive(KeyPart)]
struct Shop {
    id: u32,
}

#[cached]
impl Shop {
    #[cached(timeout = 600, skip(self))]
    fn skipped(&self, a: u64, b: u64) -> Arc<str> {
        format!("the answer of {a} and {b} at {}", self.id).into()
    }

    #[cached(timeout = 600)]
    fn known(&self, a: u64, b: u64) -> Arc<str> {
        format!("the answer of {a} and {b} at {}", self.id).into()
    }
}

#[derive(Clone, Copy, KeyPart)]
enum Colour {
    Red,
    Mixed { red: u8, blue: u8 },
}

#[cached(timeout = 600)]
fn of_text(name: &str, colour: Colour, number: Option<i32>) -> u64 {
    let _ = (colour, number);
    name.len() as u64
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    Cache::builder().url("memory:").near(ROOM).build()?.register("default")?;
    let keys: Vec<(u64, u64)> = zipf(KEYS, CALLS).into_iter().map(key).collect();
    let shop = Shop { id: 3 };
    drop((generic(1_u8, 1), generic(1_u16, 1)));
    for (a, b) in (0..KEYS).map(key) {
        drop((plain(a, b), shop.skipped(a, b), shop.known(a, b), generic(a, b)));
        drop(awaited::refresh(a, b).wait());
    }
    drop((generic(1_u32, 1), generic(true, 1)));
    let outcome = race(&keys, &shop);
    print_table("near hit, ns a call (10,000 Zipf keys)", &[("1 thread", &outcome)]);
    println!();
    for (form, most) in [(METHOD, 1.15), (METHOD_OF, 1.5), (ASYNC, 1.15), (GENERIC, 1.5)] {
        print_target(&format!("{form} / plain"), outcome.ratio(form, PLAIN), most);
    }
    count_allocations();
    Ok(())
}

fn race(keys: &[(u64, u64)], shop: &Shop) -> Outcome {
    Contest::new()
        .enter(PLAIN, || turn(keys, plain))
        .enter(METHOD, || turn(keys, |a, b| shop.skipped(a, b)))
        .enter(METHOD_OF, || turn(keys, |a, b| shop.known(a, b)))
        .enter(ASYNC, || turn(keys, |a, b| poll_once(awaited(a, b))))
        .enter(GENERIC, || turn(keys, generic::<u64>))
        .run(ROUNDS)
}

/// The answer of a future that has it at once.
fn poll_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("a near hit waits for nothing"),
    }
}

fn count_allocations() {
    let name = "a name of sixty-four bytes, which is as long as arguments may be";
    let colours = [Colour::Red, Colour::Mixed { red: 1, blue: 2 }];
    let call = || {
        for colour in colours {
            black_box(of_text(black_box(name), colour, Some(3)));
        }
    };
    call();
    let counted = allocation_counter::measure(|| (0..1_000).for_each(|_| call()));
    #[allow(clippy::cast_precision_loss)] // a number of allocations near zero
    print_target(
        "allocations of 2,000 hits by text, enum and number",
        counted.count_total as f64,
        0.0,
    );
}

/// Two numbers that tell nothing of the rank.
fn key(rank: usize) -> (u64, u64) {
    let number = rank as u64;
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32, number)
}

fn turn<T>(keys: &[(u64, u64)], call: impl Fn(u64, u64) -> T) -> f64 {
    time(CALLS, |number| {
        let (a, b) = keys[number % CALLS];
        drop(black_box(call(black_box(a), black_box(b))));
    })
}
