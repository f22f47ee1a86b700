use keyedcache::cached;

#[cached(timeout = 5, stale = 5)]
fn f(x: Option<&str>, y: &[&str]) -> usize {
    x.map_or(0, str::len) + y.len()
}

fn main() {
    f(Some("x"), &[]);
}
