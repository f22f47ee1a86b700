use keyedcache::{KeyPart, cached};

#[cached]
fn f<T: KeyPart + Sync>(x: T) -> T {
    x
}

fn main() {
    f(1);
}
