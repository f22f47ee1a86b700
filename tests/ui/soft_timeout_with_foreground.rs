use keyedcache::cached;

#[cached(timeout = 60, stale = 60, refresh = "foreground", soft_timeout = "100ms")]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    f(1);
}
