use keyedcache::{cache_delete_function, cached};

#[cached]
fn f(x: u8) -> u8 {
    x
}

fn main() {
    let _ = cache_delete_function!(f("x"));
}
