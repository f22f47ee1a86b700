use keyedcache::cached;

#[cached]
fn f<T: Clone>(x: T) -> usize {
    size_of_val(&x)
}

#[cached]
fn g(x: impl AsRef<str>) -> usize {
    x.as_ref().len()
}

fn main() {
    f(1);
    g("a");
}
