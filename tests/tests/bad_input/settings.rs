//! Wrong URLs, options, aliases, files and variables: said where it can be said, and functions go on
//! computing.

use std::fs;

use keyedcache::{
    Cache, ErrorKind, NotCachedReason, Timeout, cache_clear, cache_contains, cache_delete,
    cache_get, cache_get_many, cache_get_or_set, cache_increment, cache_key, cache_require,
    cache_set, cache_stats, cache_touch, cache_ttl,
};
use keyedcache_tests::child::{Child, role};

use crate::subject::{assert_functions_answer, double, of_nobody};

/// What the URL is, and what its error names.
const URLS: &[(&str, &[&str])] = &[
    ("", &["scheme", "memory:", "disk:"]),
    ("nonsense", &["memory", "disk"]),
    ("redys://localhost", &["redys", "memory", "disk", "null"]),
    ("memory:?timout=5", &["timout", "timeout"]),
    ("memory:?timeout=soon", &["timeout", "5m"]),
    ("memory:?size_limit=1MiB", &["size_limit"]),
    ("memory:?codec=xml", &["codec", "msgpack", "json", "bincode"]),
    ("memory:?compressor=rar", &["compressor", "zstd"]),
    ("memory:?jitter=2", &["jitter", "0 to 1"]),
    ("memory:?prefix=a:b", &["prefix"]),
    ("memory:?version=-1", &["version"]),
    ("memory:?enabled=perhaps", &["enabled", "true"]),
    ("memory:?single_flight=many", &["single_flight", "cluster"]),
    ("memory:?store_timeout=0", &["store_timeout"]),
    ("memory:?lease=1h&lease_max=1m", &["lease"]),
    ("disk:", &["disk"]),
    ("disk:/dev/null/cache", &["/dev/null"]),
    ("disk:/proc/keyedcache", &["/proc/keyedcache"]),
];

#[test]
fn a_wrong_url_is_an_error_that_names_what_is_wrong() {
    for (url, named) in URLS {
        let error = Cache::from_url(url).expect_err(url);
        let said = error.to_string();
        for name in *named {
            assert!(said.contains(name), "{url}: {said} should say {name}");
        }
    }
}

#[test]
fn a_password_is_never_told() {
    for url in [
        "redis://me:hunter2@host:port",
        "memory://me:hunter2@host/?timout=1",
        "disk:?password=hunter2",
    ] {
        let error = Cache::from_url(url).expect_err(url);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn a_wrong_option_in_code_is_an_error_of_build() {
    let second = std::time::Duration::from_secs(1);
    let wrong = [
        ("prefix", Cache::builder().prefix("a:b")),
        ("prefix", Cache::builder().prefix("")),
        ("jitter", Cache::builder().jitter(1.5)),
        ("jitter", Cache::builder().jitter(f64::NAN)),
        ("early", Cache::builder().early(-1.0)),
        ("early", Cache::builder().early(f64::INFINITY)),
        ("lease", Cache::builder().lease(std::time::Duration::ZERO)),
        ("lease_max", Cache::builder().lease_max(std::time::Duration::ZERO)),
        ("lease", Cache::builder().lease(2 * second).lease_max(second)),
        ("store_timeout", Cache::builder().store_timeout(std::time::Duration::ZERO)),
        ("timout", Cache::builder().url("memory:?timout=1").timeout(Timeout::Never)),
    ];
    for (name, builder) in wrong {
        let error = builder.build().expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_wrong_alias_is_refused() {
    let cache = Cache::from_url("memory:").unwrap();
    for alias in ["", "a b", "a/b", "ä"] {
        assert_eq!(cache.register(alias).unwrap_err().kind(), ErrorKind::Config, "{alias}");
        assert_eq!(Cache::named(alias).unwrap_err().kind(), ErrorKind::Config, "{alias}");
    }
}

#[test]
fn a_function_of_an_unknown_alias_computes_until_there_is_one() {
    assert_eq!((of_nobody(21), of_nobody(21)), (42, 42));
    assert!(of_nobody::peek(21).wait().is_err());
    let error = of_nobody::invalidate_all().wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`nobody`"), "{error}");
    let cache = Cache::from_url("memory:").unwrap();
    cache.register("nobody").unwrap();
    assert_eq!((of_nobody(21), of_nobody(21)), (42, 42));
    assert_eq!((cache.stats().computed, cache.stats().near_hits), (1, 1));
    of_nobody::invalidate_all().wait().unwrap();
}

/// What a program does whose default cache is configured wrongly; `wrong` is what errors name.
fn run_with_a_wrong_default_cache(wrong: &str) {
    assert_functions_answer();
    let said = |error: keyedcache::Error| {
        assert_ne!(error.kind(), ErrorKind::OutcomeUnknown);
        assert!(error.to_string().contains(wrong), "{error} should say {wrong}");
    };
    let key = || cache_key!("a");
    said(cache_require().wait().unwrap_err());
    said(Cache::named("default").unwrap_err());
    said(cache_set(key(), &1).wait().unwrap_err());
    said(cache_delete(key()).wait().unwrap_err());
    said(cache_clear().wait().unwrap_err());
    said(cache_increment(key(), 1).starting_at(0).wait().unwrap_err());
    said(cache_touch(key(), 5).wait().unwrap_err());
    said(cache_ttl(key()).wait().unwrap_err());
    said(double::invalidate_all().wait().unwrap_err());
    said(keyedcache::cache_delete_function(double).wait().unwrap_err());
    let error = cache_get::<i32>(key()).wait().unwrap_err();
    assert_eq!(error.reason, NotCachedReason::Unavailable);
    said(error.source.expect("the store says why"));
    assert!(!cache_contains(key()).wait());
    assert!(cache_get_many::<i32>([key()]).wait().is_empty());
    assert_eq!(cache_get_or_set(key()).compute(async || 7).wait(), 7);
    assert!(cache_stats().store_errors > 0);

    Cache::from_url("memory:").unwrap().register("default").unwrap();
    cache_set(key(), &1).wait().unwrap();
    assert_eq!(cache_get::<i32>(key()).wait().ok(), Some(1));
    assert_functions_answer();
    assert!(cache_stats().computed > 0);
}

#[test]
fn a_program_with_a_wrong_url_says_so_and_computes() {
    if role().is_some() {
        return run_with_a_wrong_default_cache("redys");
    }
    let test = "settings::a_program_with_a_wrong_url_says_so_and_computes";
    Child::in_role(test, "child", "redys://localhost").finish();
}

#[test]
fn a_program_with_a_wrong_file_says_so_and_computes() {
    if let Some(wrong) = role() {
        return run_with_a_wrong_default_cache(&wrong);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("caches.toml");
    let test = "settings::a_program_with_a_wrong_file_says_so_and_computes";
    let path = file.display().to_string();
    let run = |wrong| Child::in_role_with(test, wrong, &[("KEYEDCACHE_CONFIG", &path)]).finish();
    run("caches.toml");
    for (text, wrong) in [
        ("[default]\nurl = \"memory:\"\ntimout = 5\n", "timout"),
        ("[default]\ntimeout = 5\n", "url"),
        ("[default\n", "caches.toml"),
        ("default = 3\n", "default"),
        (
            "[default]\nurl = \"memory:\"\n\n[\"a b\"]\nurl = \"memory:\"\n",
            "caches.toml:4: the name",
        ),
        ("[default]\nurl = 3\n", "url"),
    ] {
        fs::write(&file, text).unwrap();
        run(wrong);
    }
    fs::write(&file, [b'#', 0xff, 0xfe]).unwrap();
    run("caches.toml");
}

#[test]
fn a_file_that_is_mended_is_heard_at_the_next_use() {
    let test = "settings::a_file_that_is_mended_is_heard_at_the_next_use";
    if let Some(file) = role() {
        assert_eq!((double(1), double(1)), (2, 2));
        let _ = cache_set(cache_key!("a"), &1).wait().unwrap_err();
        fs::write(file, "[default]\nurl = \"memory:\"\n").unwrap();
        cache_set(cache_key!("a"), &1).wait().unwrap();
        assert_eq!((double(1), double(1)), (2, 2));
        assert_eq!((cache_stats().computed, cache_stats().near_hits), (1, 1));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("caches.toml").display().to_string();
    Child::in_role_with(test, &file, &[("KEYEDCACHE_CONFIG", &file)]).finish();
}
