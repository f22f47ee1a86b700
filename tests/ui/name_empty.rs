use keyedcache::cached;

#[cached(name = "")]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
