use keyedcache::cached;

#[cached(lease_max = 0)]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
}
