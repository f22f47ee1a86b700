use keyedcache::cached;

#[cached(jitter = 1.5)]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
