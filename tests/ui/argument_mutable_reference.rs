use keyedcache::cached;

#[cached]
fn f(x: &mut u8) -> u8 {
    *x += 1;
    *x
}

fn main() {
    f(&mut 1);
}
