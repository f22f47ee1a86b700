use keyedcache::cached;

#[cached(timeout = 60, stale = 60, soft_timeout = 0)]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
}
