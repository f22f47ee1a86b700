use keyedcache::cached;

#[cached(ttl = 60, stale = "5x", near = -1, jitter = 2, skip(y))]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f::peek(1).wait().ok();
}
