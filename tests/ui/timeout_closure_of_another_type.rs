use keyedcache::cached;

#[cached(timeout = |x| format!("{x}"))]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
}
