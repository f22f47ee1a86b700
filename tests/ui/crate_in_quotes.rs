use keyedcache::cached;

#[cached(crate = "keyedcache")]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
}
