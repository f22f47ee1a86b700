use keyedcache::cached;

#[cached]
fn f(x: impl AsRef<str>) -> usize {
    x.as_ref().len()
}

fn main() {
    f("x");
}
