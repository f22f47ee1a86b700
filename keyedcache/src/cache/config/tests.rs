//! What URLs, files and the environment configure, and that no message holds a secret.

mod documentation;
mod messages;
#[cfg(feature = "disk")]
mod shards;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::ErrorKind;

/// The message of an error, without what all of them begin with.
fn told(error: &Error) -> String {
    assert_eq!(error.kind(), ErrorKind::Config);
    let message = error.to_string();
    message.strip_prefix("cannot configure: ").expect("the operation comes first").to_owned()
}

fn url_message(url: &str) -> String {
    told(&CacheConfig::from_url(url).expect_err(url))
}

fn read_file(text: &str) -> Result<BTreeMap<String, CacheConfig>, Error> {
    from_toml(text, Path::new("etc/app.toml"))
}

fn file_message(text: &str) -> String {
    told(&read_file(text).expect_err(text))
}

fn environment<'a>(variables: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
    move |name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| OsString::from(value))
    }
}

#[test]
fn a_url_names_a_store_and_its_options() {
    let config = CacheConfig::from_url(" Memory:?max_size=64MiB&timeout=never&version=7&near=0 ")
        .expect("all is known");
    let mut expected = CacheConfig::new(StoreConfig::Memory { max_size: Some(64 << 20) });
    expected.options.timeout = Some(Timeout::Never);
    expected.options.version = Some(7);
    expected.options.near = Some(0);
    assert_eq!(config, expected);
}

#[test]
fn a_bare_url_leaves_every_option_at_its_default() {
    for (url, store) in [
        ("memory:", StoreConfig::Memory { max_size: None }),
        ("memory://", StoreConfig::Memory { max_size: None }),
        ("memory:?", StoreConfig::Memory { max_size: None }),
        ("null:", StoreConfig::Null),
    ] {
        let config = CacheConfig::from_url(url).expect(url);
        assert_eq!(config, CacheConfig::new(store), "{url}");
    }
}

#[test]
#[cfg(feature = "msgpack")]
fn every_option_can_be_given_in_a_url() {
    let url = "memory:?max_size=1GB&prefix=shop&version=2&timeout=1h+30m&stale=10&\
        stale_if_error=1d&early=1.5&jitter=0.1&lease=5s&lease_max=1m&wait=0&store_timeout=250ms&\
        codec=msgpack&compressor=none&compress_min=2KiB&near=100&single_flight=process&\
        enabled=false";
    let url = url.replace('+', "%20");
    let options = CacheConfig::from_url(&url).expect("all is right").options;
    let expected = CacheOptions {
        prefix: Some("shop".to_owned()),
        version: Some(2),
        timeout: Some(Timeout::After(Duration::from_mins(90))),
        stale: Some(Duration::from_secs(10)),
        stale_if_error: Some(Duration::from_hours(24)),
        early: Some(1.5),
        jitter: Some(0.1),
        lease: Some(Duration::from_secs(5)),
        lease_max: Some(Duration::from_mins(1)),
        wait: Some(Duration::ZERO),
        store_timeout: Some(Duration::from_millis(250)),
        codec: Some(Codec::MessagePack),
        compressor: Some(Compressor::None),
        compress_min: Some(2_048),
        near: Some(100),
        single_flight: Some(SingleFlight::Process),
        enabled: Some(false),
    };
    assert_eq!(options, expected);
}

#[test]
#[cfg(feature = "disk")]
fn a_disk_url_names_a_folder_with_escapes_decoded() {
    for (url, folder) in [
        ("disk:/var/cache/app", "/var/cache/app"),
        ("disk:relative/path", "relative/path"),
        ("disk:///abs/path", "/abs/path"),
        ("DISK:/my%20cache%3f%23%2520", "/my cache?#%20"),
        ("disk:/my cache", "/my cache"),
        ("disk:/stra%C3%9Fe+1@home", "/straße+1@home"),
    ] {
        let store = CacheConfig::from_url(url).expect(url).store;
        let expected = StoreConfig::Disk { path: folder.into(), size_limit: None };
        assert_eq!(store, expected, "{url}");
    }
}

#[test]
#[cfg(feature = "disk")]
fn a_relative_path_in_a_file_is_taken_from_the_folder_of_the_file() {
    let text = "[near]\nurl = 'disk:cache?size_limit=2GB'\n[far]\nurl = 'disk:/cache'\n";
    let caches = read_file(text).expect("both are right");
    let disk = |path: &str, size_limit| StoreConfig::Disk { path: path.into(), size_limit };
    assert_eq!(caches["near"].store, disk("etc/cache", Some(2_000_000_000)));
    assert_eq!(caches["far"].store, disk("/cache", None));
}

#[test]
fn a_file_takes_numbers_booleans_and_the_text_of_urls_alike() {
    let same = [
        "timeout = 300\nversion = 0x10\nenabled = true\njitter = 0.5\nmax_size = 1_000",
        "timeout = '5m'\nversion = '16'\nenabled = 'true'\njitter = '0.5'\nmax_size = '1KB'",
    ];
    for options in same {
        let caches = read_file(&format!("[a-B_1]\nurl = 'memory:'\n{options}")).expect(options);
        let url = "memory:?timeout=300&version=16&enabled=true&jitter=0.5&max_size=1000";
        assert_eq!(caches["a-B_1"], CacheConfig::from_url(url).expect(url));
    }
    assert!(read_file("# nothing\n").expect("an empty file is right").is_empty());
}

#[test]
fn a_file_is_read_from_where_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("caches.toml");
    std::fs::write(&path, "[default]\nurl = 'null:'\n").expect("written");
    let caches = from_file(&path).expect("it is right");
    assert_eq!(caches["default"], CacheConfig::new(StoreConfig::Null));

    let missing = from_file(Path::new("no/such/file.toml")).expect_err("it is not there");
    assert_eq!(told(&missing), "no/such/file.toml cannot be read: entity not found");
    let secret = from_file(Path::new("user:secret@host")).expect_err("it is not there");
    assert_eq!(told(&secret), "the configuration file cannot be read: entity not found");
}

#[test]
fn an_environment_that_says_nothing_configures_nothing() {
    for variables in [&[][..], &[("KEYEDCACHE_URL", ""), ("KEYEDCACHE_CONFIG", "")]] {
        assert_eq!(from_environment(environment(variables)).expect("nothing is right"), None);
    }
}

#[test]
fn the_url_of_the_environment_replaces_the_default_of_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("caches.toml");
    std::fs::write(&path, "[default]\nurl = 'memory:'\nnear = 5\n[other]\nurl = 'memory:'\n")
        .expect("written");
    let path = path.to_str().expect("UTF-8");
    let url = ("KEYEDCACHE_URL", "null:");
    let null = CacheConfig::new(StoreConfig::Null);

    let both = from_environment(environment(&[url, ("KEYEDCACHE_CONFIG", path)]));
    let both = both.expect("both are right").expect("something is said");
    assert_eq!(both.keys().collect::<Vec<_>>(), ["default", "other"]);
    assert_eq!(both["default"], null);

    let only = from_environment(environment(&[url])).expect("right").expect("something is said");
    assert_eq!(only, BTreeMap::from([("default".to_owned(), null)]));
}

#[test]
fn a_mistake_in_the_environment_is_told_with_its_variable() {
    for (name, value, message) in [
        ("KEYEDCACHE_URL", "memory:?jitter=2", "`jitter` takes a number from 0 to 1, not `2`"),
        (
            "KEYEDCACHE_URL",
            "etc/app.toml",
            "it takes a URL; the path of a TOML file goes into `KEYEDCACHE_CONFIG`",
        ),
        (
            "KEYEDCACHE_CONFIG",
            "redis://user:secret@host",
            "it takes the path of a TOML file; a URL goes into `KEYEDCACHE_URL`",
        ),
        (
            "KEYEDCACHE_CONFIG",
            "memory:",
            "it takes the path of a TOML file; a URL goes into `KEYEDCACHE_URL`",
        ),
    ] {
        let error = from_environment(environment(&[(name, value)])).expect_err(value);
        assert_eq!(told(&error), format!("{name}: {message}"));
    }
}

/// Everything that an error shows anybody: itself and what caused it, displayed and debugged.
fn everything_shown(error: &Error) -> String {
    let mut shown = vec![format!("{error} {error:?} {error:#?}")];
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        shown.push(format!("{source} {source:?}"));
        cause = source.source();
    }
    shown.join("\n")
}

fn assert_kept(url: &str, secrets: &[&str]) {
    let mut errors: Vec<Error> = CacheConfig::from_url(url).err().into_iter().collect();
    for name in ["KEYEDCACHE_URL", "KEYEDCACHE_CONFIG"] {
        errors.extend(from_environment(environment(&[(name, url)])).err());
    }
    for text in [
        format!("[default]\nurl = '{url}'\nwait = 'soon'"),
        format!("[default]\nurl = '{url}"),
        format!("url = '{url}'"),
        format!("['{url}']\nurl = 'memory:'"),
        format!("['{url}'"),
        format!("[default]\nurl = 'memory:'\nprefix = '{url}'\ntimeout = '{url}'"),
        format!("[default]\nurl = 'memory:'\npassword = '{url}'\n'{url}' = 1"),
        url.to_owned(),
    ] {
        errors.extend(read_file(&text).err());
    }
    for error in &errors {
        let shown = everything_shown(error);
        for secret in secrets {
            assert!(!shown.contains(secret), "{url} is told as {shown}");
        }
    }
}

#[test]
fn no_message_holds_user_or_password() {
    for url in [
        "redis://usr7:hunter2@host",
        "redis//usr7:hunter2@host",
        "redis:/usr7:hunter2@host",
        "redis:usr7:hunter2@host",
        "reddis://usr7:hunter2@host",
        "://usr7:hunter2@host",
        "//usr7:hunter2@host",
        "usr7:hunter2@host",
        "hunter2@host",
        "redis+sentinel://usr7:hunter2@a,usr7:hunter2@b?x",
        "redis://usr7:hunter2?timeout=hunter2@host",
        "disk://usr7:hunter2@host/path?timeout=x",
        "disk:usr7:hunter2@host?size=1",
        "memory://usr7:hunter2@host",
        "memory:?prefix=hunter2@host",
        "memory:?timeout=usr7:hunter2@host",
        "memory:?timeout=usr7%3ahunter2%40host",
        "memory:?password=hunter2",
        "memory:?timeout=hunter2&password=x",
        "memory:?passwd=hunter2&hunter2",
        "memory:?hunter2=password",
        "disk:/cache?secret_access_key=hunter2&timeout=x",
        "disk:/cache/hunter2?token=hunter2",
        "disk:/cache?password:hunter2",
        "disk:/cache#password=hunter2",
    ] {
        assert_kept(url, &["hunter2", "usr7"]);
    }
}

#[test]
#[cfg(feature = "s3")]
fn s3_url_names_a_bucket_and_options() {
    let url = "s3://key:hunter2@reports/a/b?region=eu-west-1&path_style=true&generations=1s&\
        endpoint=http%3A//localhost:9000";
    let config = CacheConfig::from_url(url).expect("all is known");
    let StoreConfig::S3 { address, region, endpoint, path_style, generations } = &config.store
    else {
        panic!("{config:?}")
    };
    assert_eq!(address.to_string(), "s3://reports/a/b");
    assert_eq!(region.as_deref(), Some("eu-west-1"));
    assert_eq!(endpoint.as_deref(), Some("http://localhost:9000"));
    assert_eq!((*path_style, *generations), (Some(true), Some(Duration::from_secs(1))));
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
}

#[test]
#[cfg(feature = "redis")]
fn redis_url_names_servers_and_options() {
    let url = "redis://me:hunter2@a:7000,b/3?near_trust=500ms&connect_timeout=2&concurrency=8&on_failover=forget&read_replicas=true";
    let config = CacheConfig::from_url(url).expect("all is known");
    let StoreConfig::Redis {
        address,
        connect_timeout,
        near_trust,
        concurrency,
        on_failover,
        read_replicas,
    } = &config.store
    else {
        panic!("another store: {config:?}");
    };
    assert_eq!(address.to_string(), "redis://a:7000,b:6379/3");
    assert_eq!(*connect_timeout, Some(Duration::from_secs(2)));
    assert_eq!((*near_trust, *concurrency), (Some(Duration::from_millis(500)), Some(8)));
    assert_eq!((*on_failover, *read_replicas), (Some(OnFailover::Forget), Some(true)));
    assert!(!format!("{config:?}").contains("hunter2") && !format!("{config:?}").contains("me:"));

    let config = CacheConfig::from_url("redis+cluster://a,b:7000").expect("all is known");
    let StoreConfig::Redis { address, .. } = &config.store else { panic!("another: {config:?}") };
    assert_eq!(address.to_string(), "redis+cluster://a:6379,b:7000");

    let config = CacheConfig::from_url("redis+unix:///run/redis.sock?db=2").expect("all is known");
    let StoreConfig::Redis { address, .. } = &config.store else { panic!("{config:?}") };
    assert_eq!(address.to_string(), "redis+unix:///run/redis.sock?db=2");
}

#[test]
#[cfg(feature = "redis")]
fn redis_url_names_sentinels_and_what_logs_in_to_them() {
    let url =
        "redis+sentinel://:hunter2@a,b:7000/main/3?sentinel_user=usr7&sentinel_password=hunter3";
    let config = CacheConfig::from_url(url).expect("all is known");
    let StoreConfig::Redis { address, .. } = &config.store else { panic!("{config:?}") };
    assert_eq!(address.to_string(), "redis+sentinel://a:26379,b:7000/main/3");
    let shown = format!("{config:?}");
    assert!(!["hunter2", "hunter3", "usr7"].iter().any(|secret| shown.contains(secret)), "{shown}");
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,60}") {
        let _ = CacheConfig::from_url(&text);
        let _ = read_file(&text);
    }

    #[test]
    fn nothing_that_looks_like_a_url_makes_reading_panic(
        url in "(memory|disk|null|redis|s3)[:/%#?]{0,3}[a-z0-9%/@.é]{0,12}[?#]?\
               ((timeout|max_size|jitter|prefix|near)=?[0-9a-zA-Z%.+é -]{0,12}&?){0,3}",
    ) {
        let _ = CacheConfig::from_url(&url);
    }

    #[test]
    fn no_password_is_told_however_its_url_is_mangled(
        password in "zq[a-zA-Z0-9]{6,12}qz",
        scheme in "(redis|rediss|disk|memory|s3|reddis|http|)",
        colon in "(://|:/|:|//|/|)",
        user in "(usr7xx|)",
        split in "[?&=#/:%]?",
        query in "(\\?timeout=5m|\\?tiemout=5x|\\?password=|&a=|)",
    ) {
        let url = format!("{scheme}{colon}{user}:{password}{split}{password}@host/0{query}");
        assert_kept(&url, &[&password, "usr7xx"]);
    }
}
