use keyedcache::cached;

#[cached]
fn f<T: Clone, const N: usize>(x: [T; N]) -> usize {
    x.len()
}

fn main() {
    f([1, 2]);
}
