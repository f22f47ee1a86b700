use keyedcache::CachedObject;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, CachedObject)]
struct Product {
    id: u64,
}

#[derive(Clone, Serialize, Deserialize, CachedObject)]
enum Animal {
    Cat,
}

fn main() {}
