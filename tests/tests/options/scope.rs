//! `scope`: the arguments by which calls can be forgotten together.

use keyedcache::{cache_delete_function, cached};
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::timed;

static GATE: Gate = Gate::new();

#[cached(cache = "o_scope", scope(shop, (shop, x)))]
fn price(shop: &str, x: u8, _day: u8) -> (String, usize) {
    (format!("{shop}{x}"), GATE.pass())
}

#[test]
fn calls_with_these_arguments_are_forgotten_and_no_others() {
    let _timed = timed("o_scope");
    let all = || [price("a", 1, 1).1, price("a", 1, 2).1, price("a", 2, 1).1, price("b", 1, 1).1];
    assert_eq!(all(), [1, 2, 3, 4]);
    assert!(cache_delete_function!(price("a", 1_u8, _)).wait().is_ok());
    assert_eq!(all(), [5, 6, 3, 4]);
    assert!(cache_delete_function!(price("a", _, _)).wait().is_ok());
    assert_eq!(all(), [7, 8, 9, 4]);
}
