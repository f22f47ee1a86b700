use keyedcache::cached;

#[cached(timeout, name = )]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
