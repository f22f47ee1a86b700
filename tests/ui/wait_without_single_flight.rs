use keyedcache::cached;

#[cached(single_flight = "off", wait = 5)]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
