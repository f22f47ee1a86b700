use keyedcache::cached;

struct Product;

#[cached(local)]
fn f(x: u8) -> Product {
    let _ = x;
    Product
}

fn main() {
    f(1);
}
