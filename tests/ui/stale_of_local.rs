use keyedcache::cached;

#[cached(local, timeout = 60, stale = 60, stale_if_error = 60, early)]
fn f(x: u8) -> Result<u8, String> {
    Ok(x)
}

fn main() {
    let _ = f(1);
}
