use keyedcache::CachedObject;

#[derive(CachedObject)]
struct Product {
    #[cached_object(key)]
    id: u64,
}

fn main() {}
