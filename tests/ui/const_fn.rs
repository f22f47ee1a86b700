use keyedcache::cached;

#[cached]
const fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
}
