use keyedcache::cached;

#[cached(local, near = 0)]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
