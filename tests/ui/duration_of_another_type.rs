use keyedcache::cached;

#[cached(timeout = Later)]
fn f(x: u8) -> u8 {
    x
}

struct Later;

fn main() {}
