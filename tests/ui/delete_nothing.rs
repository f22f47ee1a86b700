use keyedcache::cache_delete_function;


fn main() {
    cache_delete_function!();
}
