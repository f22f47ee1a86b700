use keyedcache::cached;

#[cached(single_flight = "no")]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
