use keyedcache::cached;

#[cached(timeout = 60, timeout = 70)]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
