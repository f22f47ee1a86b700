use keyedcache::CachedObject;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, CachedObject)]
#[cached_object(ttl = 60)]
struct Product {
    #[cached_object(id)]
    id: u64,
}

#[derive(Clone, Serialize, Deserialize, CachedObject)]
#[cached_object(key)]
struct User {
    #[cached_object(key)]
    id: u64,
}

fn main() {}
