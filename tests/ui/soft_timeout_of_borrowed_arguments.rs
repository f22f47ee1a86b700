use std::collections::HashMap;

use keyedcache::cached;

#[cached(timeout = 60, stale = 60, soft_timeout = "100ms", skip(prices))]
fn f(x: u8, prices: &mut HashMap<u8, u8>) -> u8 {
    prices.remove(&x).unwrap_or(0)
}

fn main() {
    f(1, &mut HashMap::new());
}
