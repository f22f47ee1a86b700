use keyedcache::cached;

#[cached(timeout = 5, stale = 5, refresh = "later")]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
