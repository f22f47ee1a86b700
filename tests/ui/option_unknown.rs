use keyedcache::cached;

#[cached(ttl = 60)]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
    f::invalidate(1).wait().ok();
}
