use keyedcache::cached;

#[cached]
fn f(x: u8) -> impl Iterator<Item = u8> {
    0..x
}

fn main() {
    f(1);
}
