use keyedcache::cached;

#[cached(skip(conection))]
fn f(x: u8, connection: &u8) -> u8 {
    x + connection
}

fn main() {
    f::invalidate(1, &2).wait().ok();
}
