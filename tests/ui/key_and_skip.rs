use keyedcache::cached;

#[cached(key = x, skip(y))]
fn f(x: u8, y: u8) -> u8 {
    x + y
}

fn main() {}
