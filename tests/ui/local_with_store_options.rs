use keyedcache::cached;

#[cached(local, version = 2, lease = 5, single_flight = "cluster")]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
