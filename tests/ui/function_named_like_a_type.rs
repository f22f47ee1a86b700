use keyedcache::cached;

#[cached]
fn str(x: u8) -> u8 {
    x
}

fn main() {
    str(1);
}
