use keyedcache::cached;

#[cached(timeout = 60, hard_timeout = "2s")]
fn f(x: u8) -> u8 {
    x
}

#[cached(timeout = 60, hard_timeout = "2s")]
async fn g(x: u8) -> Option<u8> {
    Some(x)
}

fn main() {
    f(1);
    g(1);
}
