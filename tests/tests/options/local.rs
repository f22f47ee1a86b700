//! `local`: keeps answers in this process, unserialized.

use std::sync::Arc;
use std::time::Duration;

use keyedcache::cached;
use keyedcache_tests::place::timed;

/// Not for serde.
struct Connection;

#[cached(cache = "o_local", local, timeout = 60)]
fn with(_x: u8) -> Arc<Connection> {
    Arc::new(Connection)
}

#[test]
fn the_answer_itself_is_kept_and_no_store_sees_it() {
    let (cache, clock) = timed("o_local");
    let first = with(1);
    assert!(Arc::ptr_eq(&first, &with(1)) && !Arc::ptr_eq(&first, &with(2)));
    assert_eq!(cache.stats().saved, 0);
    clock.advance(Duration::from_mins(1));
    assert!(!Arc::ptr_eq(&first, &with(1)));
}
