//! `companion`: what the companions stand under.

use keyedcache::cached;

#[cached(name = "under", companion = Under)]
fn with(x: u8) -> u8 {
    x
}

struct Shop;

#[cached]
impl Shop {
    #[cached(name = "cost", companion = cost)]
    fn price(x: u8) -> u8 {
        x
    }
}

#[test]
fn they_stand_under_it_or_begin_with_it() {
    assert_eq!((with(7), Under::uncached(7)), (7, 7));
    assert_eq!(Under::key(7).text(), "under::7");
    assert_eq!((Shop::price(7), Shop::cost_key(7).text()), (7, "cost::7"));
}
