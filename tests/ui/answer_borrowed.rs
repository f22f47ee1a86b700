use keyedcache::cached;

#[cached]
fn f(x: &str) -> &str {
    x
}

fn main() {
    f("x");
}
