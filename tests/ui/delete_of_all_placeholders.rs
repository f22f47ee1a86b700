use keyedcache::{cache_delete_function, cached};

#[cached(scope(x))]
fn f(x: u8, y: u8) -> u8 {
    x + y
}

fn main() {
    let _ = cache_delete_function!(f(_, _)).wait();
}
