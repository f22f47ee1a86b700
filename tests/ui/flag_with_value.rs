use keyedcache::cached;

#[cached(local = true)]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
