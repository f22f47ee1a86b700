use keyedcache::cached;

#[cached(timeout = 60, stale = 60, soft_timeout = "2s", hard_timeout = "1s")]
fn f(x: u8) -> Result<u8, keyedcache::Error> {
    Ok(x)
}

fn main() {
    let _ = f(1);
}
