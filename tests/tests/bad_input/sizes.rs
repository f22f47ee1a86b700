//! Values that are too large, or cannot be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyedcache::codec::Codec;
use keyedcache::store::{DiskStore, Store};
use keyedcache::{Cache, ErrorKind, cache_key, cached};
use serde::{Deserialize, Serialize};

const TOO_LARGE: usize = (64 << 20) + 1;

#[cached(timeout = 60, cache = "large")]
fn bytes(count: usize) -> Vec<u8> {
    vec![7; count]
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    x: i32,
    y: i32,
}

#[cached(timeout = 60, cache = "json")]
fn map(x: i32) -> BTreeMap<Place, i32> {
    BTreeMap::from([(Place { x, y: x }, x)])
}

#[test]
fn a_value_that_is_too_large_is_an_error_and_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(DiskStore::open(folder.path()).unwrap());
    for cache in
        [Cache::builder().store(store).build().unwrap(), Cache::from_url("memory:").unwrap()]
    {
        cache.set(cache_key!("a"), &1).wait().unwrap();
        let error = cache.set(cache_key!("a"), &vec![0_u8; TOO_LARGE]).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("key a"), "{error}");
        assert_eq!(cache.get::<i32>(cache_key!("a")).wait().ok(), Some(1));
    }
}

#[test]
fn an_answer_that_is_too_large_is_answered_and_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::from_url(&format!("disk:{}", folder.path().display())).unwrap();
    cache.register("large").unwrap();
    assert_eq!(bytes(TOO_LARGE).len(), TOO_LARGE);
    assert_eq!(bytes(TOO_LARGE).len(), TOO_LARGE);
    let stats = cache.stats();
    assert_eq!((stats.computed + stats.computed_alone, stats.saved), (2, 0));
    assert!(stats.unencodable > 0);
    assert_eq!(bytes(10).len(), 10);
    assert_eq!(cache.stats().saved, 1);
}

#[test]
fn a_value_larger_than_the_whole_store_is_an_error_and_no_answer_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let disk = format!("disk:{}?size_limit=4MiB", folder.path().display());
    for url in ["memory:?max_size=1MiB", &disk] {
        let cache = Cache::from_url(url).unwrap();
        cache.set(cache_key!("small"), &1).wait().unwrap();
        let error = cache.set(cache_key!("a"), &vec![0_u8; 16 << 20]).wait().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::Full), "{error}");
        cache.set(cache_key!("small"), &2).wait().unwrap();
        assert_eq!(cache.get::<i32>(cache_key!("small")).wait().ok(), Some(2));
        let computed =
            cache.get_or_set(cache_key!("a")).compute(async || vec![1_u8; 16 << 20]).wait();
        assert_eq!(computed.len(), 16 << 20);
    }
}

#[test]
fn an_answer_that_the_codec_cannot_write_is_answered_and_not_stored() {
    let cache = Cache::builder().codec(Codec::Json).build().unwrap();
    cache.register("json").unwrap();
    let expected = BTreeMap::from([(Place { x: 1, y: 1 }, 1)]);
    assert_eq!((map(1), map(1)), (expected.clone(), expected.clone()));
    let stats = cache.stats();
    assert_eq!((stats.computed + stats.computed_alone, stats.saved), (2, 0));
    assert!(stats.unencodable > 0);
    let error = cache.set(cache_key!("a"), &expected).wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    let computed = cache.get_or_set(cache_key!("a")).compute(async || map::uncached(1)).wait();
    assert_eq!(computed, expected);
    assert!(map::put(1, expected).wait().is_err());
}
