//! `#[derive(CachedObject)]`.

use std::time::Duration;

use keyedcache::{
    Cache, CacheTtl, CachedObject, Error, NotCachedReason, cache_get, cache_key, cache_set,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CachedObject)]
#[cached_object(timeout = "1h", name = "objects-product")]
struct Product {
    #[cached_object(key)]
    id: u64,
    title: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CachedObject)]
struct User(#[cached_object(key)] String, u8);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CachedObject)]
#[cached_object(cache = "objects-reviews", timeout = Never)]
#[cached_object(version = 3)]
struct Review {
    text: String,
    #[cached_object(key)]
    product: u64,
    #[cached_object(key)]
    user: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CachedObject)]
#[serde(bound = "T: Serialize + DeserializeOwned")]
struct Page<T> {
    #[cached_object(key)]
    number: u32,
    items: Vec<T>,
}

fn product(id: u64) -> Product {
    Product { id, title: format!("product {id}") }
}

#[test]
fn an_object_is_stored_and_read_back_by_its_id() -> Result<(), Error> {
    product(1).cache_set().wait()?;
    assert_eq!(Product::cache_get(1).wait().ok(), Some(product(1)));
    assert_eq!(Product::cache_get(1).wait().ok(), Some(product(1)));
    assert_eq!(Product::cache_key_of(1).text(), "objects-product::1");
    assert!(Product::is_cached(1).wait());
    assert!(!Product::is_cached(2).wait());
    assert_eq!(cache_get::<Product>(product(1).cache_key()).wait().ok(), Some(product(1)));
    Ok(())
}

#[test]
fn text_ids_are_given_borrowed_or_owned() -> Result<(), Error> {
    let user = User("ann".to_owned(), 3);
    user.cache_set().wait()?;
    assert_eq!(User::cache_get("ann").wait().ok(), Some(user.clone()));
    assert_eq!(User::cache_get(String::from("ann")).wait().ok(), Some(user));
    assert_eq!(User::cache_key_of("ann").text(), "macros_objects.User::ann");
    Ok(())
}

#[test]
fn deleting_an_object_forgets_what_is_below_it() -> Result<(), Error> {
    let below = product(3).cache_key().child("reviews");
    let store = || -> Result<(), Error> {
        product(3).cache_set().wait()?;
        cache_set(below.clone(), &5).wait()
    };
    store()?;
    product(3).cache_delete().wait()?;
    assert!(!Product::is_cached(3).wait() && cache_get::<i32>(below.clone()).wait().is_err());
    store()?;
    product(3).cache_reset().wait()?;
    assert!(Product::is_cached(3).wait() && cache_get::<i32>(below.clone()).wait().is_err());
    Ok(())
}

#[test]
fn several_fields_are_an_id_and_options_are_kept() -> Result<(), Error> {
    let cache = Cache::from_url("memory:")?;
    cache.register("objects-reviews")?;
    let review = |product| Review { text: "fine".into(), product, user: "ann".into() };
    review(1).cache_set().wait()?;
    review(2).cache_set().timeout(Duration::from_mins(1)).wait()?;
    assert_eq!(Review::cache_get((1, "ann".to_owned())).wait().ok(), Some(review(1)));
    assert_eq!(review(1).cache_key().text(), "macros_objects.Review::1::ann");
    assert_eq!(cache.get(review(1).cache_key()).wait().ok(), Some(review(1)), "of its version");
    let by_hand = cache.get::<Review>(cache_key!("macros_objects.Review", 1, "ann")).wait();
    let other = by_hand.expect_err("of the cache's version there is none");
    assert_eq!(other.reason, NotCachedReason::Absent);
    Review::cache_delete_of((1, "ann".to_owned())).wait()?;
    assert!(cache.get::<Review>(review(1).cache_key()).wait().is_err());
    assert!(Review::is_cached((2, "ann".to_owned())).wait());
    Review::cache_delete_all().wait()?;
    assert!(!Review::is_cached((2, "ann".to_owned())).wait());
    Ok(())
}

#[test]
fn a_timeout_is_the_types_or_the_calls() -> Result<(), Error> {
    let left = |id| match keyedcache::cache_ttl(product(id).cache_key()).wait() {
        Ok(CacheTtl::Left(left)) => left,
        other => panic!("{other:?}"),
    };
    product(4).cache_set().wait()?;
    assert!(left(4) > Duration::from_mins(50));
    product(5).cache_set().timeout(Duration::from_mins(1)).wait()?;
    assert!(left(5) <= Duration::from_mins(1));
    Ok(())
}

#[test]
fn generic_objects_of_different_types_are_apart() -> Result<(), Error> {
    Page { number: 1, items: vec![1_u8] }.cache_set().wait()?;
    assert!(Page::<u8>::is_cached(1).wait());
    assert!(!Page::<u16>::is_cached(1).wait());
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CachedObject)]
#[cached_object(cache = "objects-shared")]
struct Shared {
    #[cached_object(key)]
    id: u64,
}

/// Where the two programs meet.
const FOLDER: &str = "KEYEDCACHE_TEST_FOLDER";

#[test]
fn another_program_reads_it_by_its_id() -> Result<(), Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let other = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_other_program", "--ignored"])
        .env(FOLDER, folder.path())
        .output()
        .expect("it starts");
    assert!(other.status.success(), "{other:?}");
    Cache::from_url(&format!("disk:{}", folder.path().display()))?.register("objects-shared")?;
    assert_eq!(Shared::cache_get(9).wait().ok(), Some(Shared { id: 9 }));
    Ok(())
}

#[test]
#[ignore = "another test runs it, as a program of its own"]
fn the_other_program() -> Result<(), Error> {
    let folder = std::env::var(FOLDER).expect("a folder");
    Cache::from_url(&format!("disk:{folder}"))?.register("objects-shared")?;
    Shared { id: 9 }.cache_set().wait()
}
