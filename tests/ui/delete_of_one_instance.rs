use keyedcache::{KeyPart, cache_delete_function, cached};

#[cached]
fn f<T: KeyPart>(x: T) -> usize {
    size_of_val(&x)
}

fn main() {
    f(1);
    let _ = cache_delete_function!(f::<u8>).wait();
}
