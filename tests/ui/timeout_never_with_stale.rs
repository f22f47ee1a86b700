use keyedcache::cached;

#[cached(timeout = Never, stale = 5, jitter = 0.1)]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
