//! `key`: what the key is made of, in place of the arguments.

use keyedcache::cached;
use keyedcache_tests::place::timed;

#[cached(cache = "o_key", name = "tens", key = (x / 10, name.len()))]
fn tens(x: u64, name: String, _more: &mut u8) -> (u64, String) {
    (x, name)
}

#[cached(cache = "o_key", name = "all")]
fn without(x: u64, name: String) -> (u64, String) {
    (x, name)
}

#[test]
fn calls_of_one_key_have_one_answer() {
    let _timed = timed("o_key");
    assert_eq!(tens::key(31, "ab".into()).text(), "tens::3::2");
    let first = tens(31, "ab".into(), &mut 0);
    assert_eq!(tens(39, "cd".into(), &mut 0), first);
    assert_ne!(tens(39, "abc".into(), &mut 0), first);
    assert_ne!(tens(41, "ab".into(), &mut 0), first);
    assert_eq!(without::key(31, "ab".into()).text(), "all::31::ab");
}
