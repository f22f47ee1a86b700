//! Expansions need no prelude, and nothing a user names gets in their way.

#![no_implicit_prelude]
#![allow(dead_code, non_camel_case_types, missing_docs, unreachable_pub, clippy::pedantic)]

extern crate keyedcache as renamed;

mod core {}
mod alloc {}
mod keyedcache {}

struct Result;
struct Option;
struct Some;
struct None;
struct Ok;
struct Err;
struct String;
struct Vec;
struct Box;
struct Send;
struct Future;
struct Clone;
struct Key;
struct Request;
struct Duration;

const ANSWER: u8 = 3;
#[allow(non_upper_case_globals)]
const answer: u8 = 3;
#[allow(non_upper_case_globals)]
const lead: u8 = 3;

#[::keyedcache::cached(timeout = 60)]
fn plain(x: u8) -> u8 {
    x
}

#[::keyedcache::cached(timeout = "5m", stale = 60, skip(y), crate = renamed)]
async fn refreshed(x: &str, y: &str) -> ::std::string::String {
    let _ = y;
    ::std::string::ToString::to_string(x)
}

#[::keyedcache::cached(timeout = 5, key = x / 2, timeout_err = 1, cache_if = |kept| kept.is_ok())]
fn fallible(x: u8) -> ::core::result::Result<u8, ()> {
    ::core::result::Result::Ok(x)
}

#[::keyedcache::cached(early, timeout = 5, local)]
fn kept(x: &str) -> ::std::string::String {
    ::std::string::ToString::to_string(x)
}

#[test]
fn names_of_users_are_not_in_the_way() {
    ::std::assert_eq!(plain(3), 3);
    ::std::assert_eq!(fallible(3), ::core::result::Result::Ok(3));
    ::std::assert_eq!(kept("x"), "x");
    ::core::mem::drop(refreshed("x", "y"));
    ::std::assert!(::keyedcache::cache_delete_function!(plain(3)).wait().is_ok());
}
