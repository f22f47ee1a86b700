use keyedcache::cached;

#[cached(codec = "bincode")]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
}
