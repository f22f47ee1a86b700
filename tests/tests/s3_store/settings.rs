//! What is wrong with where a store is, by name; and the rule that a bucket can have.

use std::sync::Arc;
use std::time::Duration;

use keyedcache::store::S3Store;
use keyedcache::{Cache, ErrorKind};
use keyedcache_tests::drive::wait;
use keyedcache_tests::s3::{Fault, Rule, S3Server};

fn required(store: S3Store) -> keyedcache::Error {
    // The store's own time ends first, and tells more.
    let cache = Cache::builder().store(Arc::new(store)).store_timeout(Duration::from_mins(1));
    cache.build().unwrap().require().wait().unwrap_err()
}

#[test]
fn require_names_what_is_wrong() {
    let server = S3Server::start();
    let elsewhere = S3Store::builder("another").endpoint(server.endpoint()).path_style(true);
    let error = required(elsewhere.credentials("AKIDTEST", "not-a-secret").build().unwrap());
    assert!(error.to_string().contains("the bucket `another` does not exist"), "{error}");

    let stranger = server.builder("app").credentials("AKIDTEST", "hunter2");
    let error = required(stranger.build().unwrap());
    assert!(error.to_string().contains("access key or secret is wrong"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));

    for (status, code, named) in [
        (403, "AccessDenied", "access to the bucket `kept` is denied"),
        (301, "PermanentRedirect", "is in region `eu-north-1`"),
        (503, "SlowDown", "slow down"),
    ] {
        server.add_fault(Rule::always(Fault::Status(status, code)));
        let quick = server.builder("app").operation_timeout(Duration::from_millis(500));
        let error = required(quick.build().unwrap());
        assert!(error.to_string().contains(named), "{code}: {error}");
        server.mend();
    }

    drop(server);
}

#[test]
fn server_that_is_not_there_is_named_in_time() {
    let store = S3Store::builder("kept").endpoint("http://127.0.0.1:9").path_style(true);
    let store =
        store.credentials("a", "b").operation_timeout(Duration::from_secs(1)).build().unwrap();
    let error = required(store);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("s3://kept"), "{error}");
}

#[test]
fn wrong_settings_are_refused_without_repeating_them() {
    for builder in [
        S3Store::builder(""),
        S3Store::builder("a b"),
        S3Store::builder("kept").prefix("a b"),
        S3Store::builder("kept").prefix("a/../b"),
        S3Store::builder("kept").prefix("p".repeat(600)),
        S3Store::builder("kept").endpoint("localhost:9000"),
        S3Store::builder("kept").endpoint("http://me:hunter2@localhost"),
        S3Store::builder("kept").operation_timeout(Duration::ZERO),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn url_opens_a_store_and_shows_no_secret() {
    let server = S3Server::start();
    let cache = Cache::builder().url(&server.url("app/cache")).build().unwrap();
    cache.require().wait().unwrap();
    assert!(
        server.names().iter().all(|name| name.starts_with("app/cache/")),
        "{:?}",
        server.names()
    );
    assert!(!format!("{cache:?}").contains("not-a-secret"));
}

#[test]
fn lifecycle_rule_is_for_records_alone_and_leaves_other_rules() {
    let server = S3Server::start();
    let (one, other) = (server.store("one"), server.store("other"));
    assert_eq!(wait(one.lifecycle_rule_set()).unwrap(), None);
    let day = Duration::from_hours(24);
    for (longest, days) in [(Duration::ZERO, 1), (day / 2, 2), (day, 2), (day * 30, 31)] {
        assert_eq!(one.lifecycle_rule(longest).days, days);
    }
    let rule = one.lifecycle_rule(day);
    assert_eq!(rule.prefix, "one/records/");
    assert!(rule.to_string().contains("\"Days\":2"), "{rule}");
    wait(other.set_lifecycle_rule(&other.lifecycle_rule(day * 7))).unwrap();
    wait(one.set_lifecycle_rule(&rule)).unwrap();
    wait(one.set_lifecycle_rule(&rule)).unwrap();
    assert_eq!(wait(one.lifecycle_rule_set()).unwrap(), Some(rule));
    assert_eq!(wait(other.lifecycle_rule_set()).unwrap().unwrap().days, 8);
}
