use keyedcache::cached;

#[cached]
fn f() -> ! {
    loop {}
}

fn main() {}
