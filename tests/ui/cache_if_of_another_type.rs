use keyedcache::cached;

#[cached(cache_if = |answer| answer.is_ok())]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
