use keyedcache::cached;

#[cached(companion = "Name")]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
}
