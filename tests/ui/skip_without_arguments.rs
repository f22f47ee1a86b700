use keyedcache::cached;

#[cached(skip)]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
