use keyedcache::cached;

struct Product;

#[cached]
fn f(x: u8) -> Result<Product, String> {
    let _ = x;
    Ok(Product)
}

fn main() {
    let _ = f(1);
    f::peek(1).wait().ok();
    f::put(1, Ok(Product)).wait().ok();
}
