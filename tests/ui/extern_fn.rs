use keyedcache::cached;

#[cached]
extern "C" fn f(x: u8) -> u8 {
    x
}

fn main() {}
