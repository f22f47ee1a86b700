use keyedcache::cached;

#[derive(Clone, Debug)]
struct Broken;

#[cached(timeout = 60, hard_timeout = "2s")]
fn f(x: u8) -> Result<u8, Broken> {
    x.checked_sub(1).ok_or(Broken)
}

fn main() {
    let _ = f(1);
}
