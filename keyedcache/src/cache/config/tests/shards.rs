//! Several URLs: the shards of one cache.

use std::path::Path;

use super::{
    CacheConfig, Duration, StoreConfig, Timeout, file_message, from_toml, read_file, url_message,
};
use crate::Cache;

fn disk(path: &str, size_limit: Option<u64>) -> StoreConfig {
    StoreConfig::Disk { path: path.into(), size_limit }
}

#[test]
fn urls_with_commas_between_are_the_shards_of_one_cache() {
    let config =
        CacheConfig::from_url("disk:/a,disk:b, DISK:///c?timeout=5m").expect("all is right");
    let shards = vec![disk("/a", None), disk("b", None), disk("/c", None)];
    let mut expected = CacheConfig::new(StoreConfig::Sharded(shards));
    expected.options.timeout = Some(Timeout::After(Duration::from_mins(5)));
    assert_eq!(config, expected);
}

#[test]
fn a_list_in_a_file_is_the_same() {
    let text = "[default]\nurl = ['disk:a', 'disk:/b?size_limit=3GB']\ntimeout = '5m'\n";
    let config = &read_file(text).expect("all is right")["default"];
    let shards = vec![disk("etc/a", Some(3_000_000_000)), disk("/b", Some(3_000_000_000))];
    assert_eq!(config.store, StoreConfig::Sharded(shards));
    assert_eq!(config.options.timeout, Some(Timeout::After(Duration::from_mins(5))));
    let one = read_file("[default]\nurl = ['memory:']\n").expect("all is right");
    assert_eq!(one["default"].store, StoreConfig::Memory { max_size: None });
}

#[test]
fn options_of_the_store_are_every_shards_that_has_no_own() {
    let config =
        CacheConfig::from_url("disk:/a?size_limit=1MB,memory:,disk:/b,disk:/c?size_limit=2MB");
    let (mega, two) = (Some(1_000_000), Some(2_000_000));
    let memory = StoreConfig::Memory { max_size: None };
    let shards = vec![disk("/a", mega), memory, disk("/b", two), disk("/c", two)];
    assert_eq!(config.expect("all is right").store, StoreConfig::Sharded(shards));
}

#[test]
fn a_comma_that_no_url_follows_is_part_of_the_path() {
    for path in ["/a,b", "/a,disk", "/a,disk:6379", "/a,", "/a,,b:c"] {
        let config = CacheConfig::from_url(&format!("disk:{path}")).expect(path);
        assert_eq!(config.store, disk(path, None));
    }
    let listed = from_toml("[x]\nurl = ['disk:/a,disk:/b', 'memory:']\n", Path::new("app.toml"));
    let shards = vec![disk("/a,disk:/b", None), StoreConfig::Memory { max_size: None }];
    assert_eq!(listed.expect("all is right")["x"].store, StoreConfig::Sharded(shards));
}

#[test]
#[cfg(feature = "redis")]
fn a_comma_before_a_host_is_another_address_of_the_same_server() {
    let shards = |url: &str| match CacheConfig::from_url(url).expect(url).store {
        StoreConfig::Sharded(shards) => shards.len(),
        _ => 1,
    };
    assert_eq!(shards("redis://a:6379,b:6379"), 1);
    assert_eq!(shards("redis://a:6379,redis:6379"), 1);
    assert_eq!(shards("redis://a:6379,redis://b:6379?near_trust=3s"), 2);
}

#[test]
fn mistakes_say_in_which_url_they_are() {
    let message = url_message("disk:/a,dsik:/b,disk:/c?timeout=x");
    for mistake in [
        "2 mistakes:",
        "3 urls: url 2 of 3: unknown scheme `dsik:`; did you mean `disk`?",
        "3 urls: url 3 of 3: `timeout` takes a duration",
    ] {
        assert!(message.contains(mistake), "{message}");
    }
    assert_eq!(
        url_message("disk:/a?timeout=5m,disk:/b"),
        "2 urls: `timeout` is of the whole cache; write it after the last URL",
    );
    assert_eq!(
        file_message("[x]\nurl = ['disk:/a?prefix=y', 'disk:/b']\n"),
        "etc/app.toml:1: [x] `prefix` is of the whole cache; write it after the last URL",
    );
    assert_eq!(
        file_message("[x]\nurl = []\n"),
        "etc/app.toml:2: [x] `url` takes text in quotes, or a list of such: `[\"…\", \"…\"]`",
    );
}

#[test]
fn no_message_repeats_anything_where_one_url_has_a_password() {
    for urls in [
        "disk:/hunter2,redis://user:hunter2@host?hunter2=x",
        "redis://user:hunter2,disk:/hunter2@host?hunter2",
        "redis://user@host,disk://hunter2/hunter2?hunter2=hunter2",
    ] {
        assert!(!url_message(urls).contains("hunter2"), "{urls}");
        let list: Vec<_> = urls.split(',').collect();
        assert!(!file_message(&format!("[x]\nurl = {list:?}\n")).contains("hunter2"), "{urls}");
    }
}

#[test]
fn a_cache_is_built_on_all_of_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = |name: &str| format!("disk:{}", folder.path().join(name).display());
    let cache = Cache::builder().url(&format!("{},{}", url("b"), url("a"))).build().expect("new");
    let key = |n: i32| crate::cache_key!("n", n);
    for n in 0..20 {
        cache.set(key(n), &n).wait().expect("both take it");
    }
    drop(cache);
    let cache = Cache::builder().url(&format!("{},{}", url("a"), url("b"))).build().expect("there");
    for n in 0..20 {
        assert_eq!(cache.get::<i32>(key(n)).wait().ok(), Some(n), "the order does not matter");
    }
    for name in ["a", "b"] {
        assert!(folder.path().join(name).is_dir());
    }
    let twice = Cache::builder().url("memory:,memory:").build().expect_err("both are `memory`");
    assert!(twice.to_string().contains("same name"), "{twice}");
}
