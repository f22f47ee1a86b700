use keyedcache::cached;

#[cached]
fn f(x: bool) -> &'static str {
    if x { "yes" } else { "no" }
}

fn main() {
    f(true);
}
