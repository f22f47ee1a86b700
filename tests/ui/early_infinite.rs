use keyedcache::cached;

#[cached(timeout = 5, early = 1e999)]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
