//! `crate`: where `keyedcache` is.

mod re_exported {
    pub(crate) use keyedcache as inner;
}

#[re_exported::inner::cached(crate = crate::crate_::re_exported::inner, name = "crate")]
fn with(x: u8) -> u8 {
    x
}

#[test]
fn expansions_find_it_there() {
    assert_eq!((with(7), with::key(7).text()), (7, "crate::7"));
}
