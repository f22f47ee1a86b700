//! One answer whatever the arguments.

use keyedcache::cached;

#[cached(key = ())]
fn once(x: u8) -> u8 {
    x
}

#[test]
fn one_answer_serves_all_arguments() {
    assert_eq!((once(1), once(2)), (1, 1));
}
