//! The companions of cached functions, the keys they make, and `cache_delete_function!`.

#![allow(clippy::unused_async)]

use keyedcache::{Error, cache_delete_function, cached};

mod products {
    use keyedcache::cached;

    #[cached(timeout = 60)]
    pub(crate) fn find(x: i32, y: &str) -> String {
        format!("{x}{y}")
    }

    #[cached(timeout = 60)]
    pub(crate) async fn find_async(x: i32, y: &str) -> String {
        find(x, y)
    }
}

use keyedcache_tests::drive::wait as block_on;
use products::{find, find_async};

#[test]
fn one_use_brings_the_function_and_its_companions() {
    assert_eq!(find(1, "a"), "1a");
    assert_eq!(find::uncached(1, "a"), "1a");
    assert_eq!(find::refresh(1, "a").wait(), "1a");
    assert_eq!(find::peek(1, "a").wait().ok().as_deref(), Some("1a"));
    assert_eq!(find::key(1, "a"), find::key(1, &String::from("a")));
    assert_ne!(find::key(1, "a"), find::key(1, "b"));
}

#[test]
fn requests_are_waited_for() -> Result<(), Error> {
    find::put(2, "a", "put".to_owned()).wait()?;
    assert_eq!(find(2, "a"), "put");
    find::invalidate(2, "a").wait()?;
    assert!(find::peek(2, "a").wait().is_err());
    assert_eq!(find(2, "a"), "2a");
    Ok(())
}

#[test]
fn requests_are_awaited() -> Result<(), Error> {
    block_on(async {
        find_async::put(3, "a", "put".to_owned()).await?;
        assert_eq!(find_async(3, "a").await, "put");
        assert_eq!(find_async::uncached(3, "a").await, "3a");
        find_async::invalidate(3, "a").await?;
        assert!(find_async::peek(3, "a").await.is_err());
        assert_eq!(find_async::refresh(3, "a").await, "3a");
        assert_eq!(find_async::peek(3, "a").await.ok().as_deref(), Some("3a"));
        Ok(())
    })
}

#[test]
fn requests_can_be_sent_to_other_threads() {
    fn assert_send(_: &impl Send) {}
    assert_send(&find::peek(1, "a"));
    assert_send(&find::invalidate(1, "a"));
    assert_send(&find::put(1, "a", String::new()));
    assert_send(&find_async::refresh(1, "a"));
}

#[cached(timeout = 60)]
fn forgotten(x: i32, y: &str) -> String {
    format!("{x}{y}")
}

#[test]
fn deletion_names_the_function_or_a_call() -> Result<(), Error> {
    let is_cached = |x| forgotten::peek(x, "b").wait().is_ok();
    for x in 1..=3 {
        forgotten(x, "b");
    }
    cache_delete_function!(forgotten(2, "b")).wait()?;
    assert_eq!([1, 2, 3].map(is_cached), [true, false, true]);
    block_on(async { cache_delete_function!(self::forgotten(1 + 2, &String::from("b"),)).await })?;
    assert_eq!([1, 2, 3].map(is_cached), [true, false, false]);
    cache_delete_function!(crate::forgotten).wait()?;
    assert_eq!([1, 2, 3].map(is_cached), [false; 3]);
    Ok(())
}

/// What the companions of methods will be called.
struct Repo;

impl Repo {
    fn find_invalidate(id: u64) -> u64 {
        id
    }

    fn find_invalidate_all() -> &'static str {
        "all"
    }
}

#[test]
fn deletion_of_a_method_calls_its_companion() {
    assert_eq!(cache_delete_function!(Repo::find(7)), 7);
    assert_eq!(cache_delete_function!(Repo::find), "all");
    assert_eq!(cache_delete_function!(<Repo>::find), "all");
}

struct Connection;

struct User {
    id: u64,
    name: String,
}

#[cached(skip(connection, verbose))]
fn skipping(connection: &Connection, id: u64, verbose: bool) -> u64 {
    let Connection = connection;
    id + u64::from(verbose)
}

#[cached(key = user.id)]
fn by_field(user: &User, _connection: Connection) -> String {
    user.name.clone()
}

#[cached(key = user.name)]
async fn by_field_not_copied(user: User, connection: &Connection) -> u64 {
    let Connection = connection;
    user.id
}

#[cached(key = (x, y / 10, name, name.len() as u64, format!("{z}")))]
fn by_parts(x: u8, y: i32, name: String, z: char, rest: &mut Vec<u8>) -> u8 {
    rest.push(x);
    let _ = (y, name, z);
    x
}

#[cached(key = x.min(9))]
async fn by_expression(x: u8) -> u8 {
    x
}

#[cached(key = "constant")]
fn by_nothing(x: u8) -> u8 {
    x
}

#[test]
fn skipped_arguments_are_no_part_of_the_key_nor_of_its_companions() {
    assert_eq!(skipping(&Connection, 3, true), 4);
    assert!(skipping::key(3).text().ends_with("skipping::3"));
    skipping::invalidate(3).wait().expect("nothing to go wrong");
    assert_eq!(skipping::refresh(&Connection, 3, false).wait(), 3);
}

#[test]
fn a_key_is_made_of_an_expression() {
    let user = || User { id: 3, name: "n".to_owned() };
    assert_eq!(by_field(&user(), Connection), "n");
    assert!(by_field::key(&user()).text().ends_with("by_field::3"));
    assert_eq!(block_on(by_field_not_copied(user(), &Connection)), 3);
    assert!(by_field_not_copied::key(user()).text().ends_with("::n"));
    assert_eq!(block_on(by_expression(12)), 12);
    assert_eq!(by_expression::key(12), by_expression::key(10));
    assert_ne!(by_expression::key(1), by_expression::key(2));
    assert_eq!(by_nothing(3), 3);
    assert!(by_nothing::key().text().ends_with("by_nothing::constant"));
}

#[test]
fn a_key_of_several_expressions_has_several_parts() {
    assert_eq!(by_parts(1, 25, "n".to_owned(), 'z', &mut Vec::new()), 1);
    let key = by_parts::key(1, 25, "n".to_owned(), 'z');
    assert!(key.text().ends_with("by_parts::1::2::n::1::z"), "{key:?}");
}

#[test]
fn a_function_of_many_arguments_is_refreshed_like_any_other() {
    #[cached]
    #[allow(clippy::too_many_arguments, clippy::many_single_char_names)] // what it is about
    fn sum(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8) -> u8 {
        a + b + c + d + e + f + g + h + i
    }
    assert_eq!(sum::refresh(1, 1, 1, 1, 1, 1, 1, 1, 1).wait(), 9);
    assert_eq!(sum::peek(1, 1, 1, 1, 1, 1, 1, 1, 1).wait().ok(), Some(9));
}
