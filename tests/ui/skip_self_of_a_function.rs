use keyedcache::cached;

#[cached(skip(self))]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
}
