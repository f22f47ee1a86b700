//! `skip`: arguments that are no part of the key.

use keyedcache::cached;
use keyedcache_tests::place::timed;

struct Connection(u8);

#[cached(cache = "o_skip", name = "skip", skip(connection))]
fn with(connection: &mut Connection, x: u8) -> u8 {
    connection.0 += 1;
    x
}

struct Shop(u8);

#[cached]
impl Shop {
    #[cached(cache = "o_skip", name = "method", skip(self))]
    fn price(&self, x: u8) -> u8 {
        self.0 + x
    }
}

#[test]
fn calls_that_differ_in_these_alone_have_one_answer() {
    let _timed = timed("o_skip");
    let mut connection = Connection(0);
    assert_eq!((with(&mut connection, 7), with(&mut connection, 7)), (7, 7));
    assert_eq!((connection.0, with::key(7).text()), (1, "skip::7"));
    assert_eq!((Shop(1).price(1), Shop(2).price(1), Shop(2).price(2)), (2, 2, 4));
}
