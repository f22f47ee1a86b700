use keyedcache::cached;

#[cached]
struct Product;

fn main() {
    let _ = Product;
}
