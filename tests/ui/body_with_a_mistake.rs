use keyedcache::cached;

#[cached]
fn f(x: u8) -> String {
    x
}

fn main() {
    f(1);
}
