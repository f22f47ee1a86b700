//! `name`: the namespace, in place of the function's path.

use keyedcache::cached;

#[cached(cache = "o_name", name = "find-product")]
fn with(x: u8) -> u8 {
    x
}

#[cached(cache = "o_name")]
fn without(x: u8) -> u8 {
    x
}

#[test]
fn keys_begin_with_it_and_without_it_with_the_path() {
    assert_eq!(with::key(7).text(), "find-product::7");
    assert_eq!(without::key(7).text(), "options.name.without::7");
}
