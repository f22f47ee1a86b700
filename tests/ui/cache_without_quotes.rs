use keyedcache::cached;

#[cached(cache = sessions)]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
}
