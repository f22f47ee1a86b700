use keyedcache::cached;

#[cached(tiemout = 60)]
fn f(x: u8) -> u8 {
    x
}

fn main() {}
