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

#[::keyedcache::cached(early, timeout = 5)]
fn early(x: u8) -> u8 {
    x
}

#[::keyedcache::cached(stale = 5, timeout = 5, soft_timeout = 1, hard_timeout = 2)]
fn limited(result: &str, away: u8) -> ::core::result::Result<u8, ::keyedcache::Error> {
    let _ = result;
    ::core::result::Result::Ok(away)
}

#[::keyedcache::cached(timeout = 5, hard_timeout = 2)]
async fn limited_later(away: &str) -> ::core::result::Result<u8, ::keyedcache::TimedOut> {
    let _ = away;
    ::core::result::Result::Ok(0)
}

#[::keyedcache::cached(timeout = 5, local)]
fn kept(x: &str) -> ::std::string::String {
    ::std::string::ToString::to_string(x)
}

#[derive(::keyedcache::KeyPart)]
struct Part {
    fields: u8,
    state: ::std::string::String,
}

#[derive(::keyedcache::KeyPart)]
enum Parts {
    Some(u8),
    None,
}

#[::keyedcache::cached]
impl Part {
    #[::keyedcache::cached(timeout = 60, scope(key))]
    fn find<T>(&self, key: &T, core: u8) -> u8
    where
        T: ::keyedcache::KeyPart,
    {
        let _ = key;
        core + self.fields
    }

    #[::keyedcache::cached(stale = 5, timeout = |result| *result as u64, skip(self))]
    async fn find_later(&'static self, result: u8) -> u8 {
        result
    }
}

#[test]
fn methods_and_parts_need_no_names_of_users() {
    let part = Part { fields: 1, state: ::std::string::ToString::to_string("x") };
    ::std::assert_eq!(part.find(&Parts::Some(3), 2), 3);
    ::std::assert_eq!(part.find(&Parts::None, 2), 3);
    let request = ::keyedcache::cache_delete_function!(Part::find(_, &3, _));
    ::std::assert!(request.wait().is_ok());
}

#[test]
fn names_of_users_are_not_in_the_way() {
    ::std::assert_eq!(plain(3), 3);
    ::std::assert_eq!(fallible(3), ::core::result::Result::Ok(3));
    ::std::assert_eq!(kept("x"), "x");
    ::std::assert_eq!(early(3), 3);
    ::std::assert_eq!(limited("x", 3).ok(), ::core::option::Option::Some(3));
    ::core::mem::drop(limited_later("x"));
    ::core::mem::drop(refreshed("x", "y"));
    ::std::assert!(::keyedcache::cache_delete_function!(plain(3)).wait().is_ok());
}
