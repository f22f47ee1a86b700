use keyedcache::CachedObject;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Id(u64);

#[derive(Clone, Serialize, Deserialize, CachedObject)]
struct Product {
    #[cached_object(key)]
    id: Id,
}

fn main() {}
