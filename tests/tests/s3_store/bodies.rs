//! What is in the bucket.

use keyedcache::codec::Codec;
use keyedcache::record::{Header, Record};
use keyedcache::store::{Guard, HolderId, LeaseToken, Leasing, Store};
use keyedcache::{Cache, Moment, cache_key};
use keyedcache_tests::drive::wait;
use keyedcache_tests::s3::S3Server;
use keyedcache_tests::stored::key;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn json_value_is_one_readable_document_under_a_readable_name() {
    let server = S3Server::start();
    let store = Arc::new(server.store("app"));
    let cache = Cache::builder().store(store).prefix("shop").codec(Codec::Json).build().unwrap();
    let chair = serde_json::json!({"name": "chair", "legs": 4});
    cache.set(cache_key!("product", 123), &chair).wait().unwrap();

    let object = server.object("app/records/shop:1:product::123.kc").expect("its name is its key");
    let document: serde_json::Value = serde_json::from_slice(&object.body).expect("one document");
    assert_eq!(document["value"], chair);
    assert_eq!(document["key"], "shop:1:product::123");
    assert!(document["expires"].as_str().is_some_and(|at| at.starts_with("20")), "{document}");
    assert_eq!(cache.get::<serde_json::Value>(cache_key!("product", 123)).wait().unwrap(), chair);
}

/// The same record, byte for byte, is written by two holders who have read the same object.
#[test]
fn of_two_who_read_one_etag_and_write_equal_values_one_passes() {
    let server = S3Server::start();
    let (one, other) = (server.store("app"), server.store("app"));
    let record = Record::new(&Header::new(Moment::from_micros(7)), b"equal").unwrap();
    let (place, seen) = (key("k"), Some(record.id()));
    assert!(wait(one.save(&place, record.clone(), None, Guard::Always, &[])).unwrap());
    for round in 0..20 {
        // Both remember the ETag they have just read.
        wait(one.load(std::slice::from_ref(&place), &[])).unwrap();
        wait(other.load(std::slice::from_ref(&place), &[])).unwrap();
        let before = server.object("app/records/k.kc").unwrap();

        let tokens =
            [LeaseToken::random(HolderId::random()), LeaseToken::random(HolderId::random())];
        let hour = Duration::from_hours(1);
        let first = wait(one.lease(&place, tokens[0], hour, seen)).unwrap();
        let second = wait(other.lease(&place, tokens[1], hour, seen)).unwrap();
        assert_eq!(first, Leasing::Granted, "{round}");
        assert!(matches!(second, Leasing::Held { by, .. } if by == tokens[0]), "{second:?}");

        let save = wait(one.save(&place, record.clone(), None, Guard::Lease(tokens[0]), &[]));
        assert!(save.unwrap());
        let late = wait(other.save(&place, record.clone(), None, Guard::Lease(tokens[1]), &[]));
        assert!(!late.unwrap());
        let after = server.object("app/records/k.kc").unwrap();
        assert_ne!(before.etag, after.etag, "equal values are different contents");
        assert_eq!(
            wait(one.load(std::slice::from_ref(&place), &[])).unwrap().slots[0].record,
            Some(record.clone())
        );
    }
}

#[test]
fn placeholder_carries_the_record_it_replaces() {
    let server = S3Server::start();
    let store = server.store("app");
    let record = Record::new(&Header::new(Moment::from_micros(7)), b"stale").unwrap();
    wait(store.save(&key("k"), record.clone(), None, Guard::Always, &[])).unwrap();
    let token = LeaseToken::random(HolderId::random());
    let hour = Duration::from_hours(1);
    wait(store.lease(&key("k"), token, hour, Some(record.id()))).unwrap();
    let slot = wait(server.store("app").load(&[key("k")], &[])).unwrap().slots.remove(0);
    assert_eq!((slot.record, slot.lease), (Some(record), Some(token)));
}
