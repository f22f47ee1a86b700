//! What a URL of a cluster finds, or says.

use std::time::Duration;

use keyedcache::ErrorKind;
use keyedcache::store::{RedisStore, Store};
use keyedcache_tests::redis::{Cluster, Options, Server};
use keyedcache_tests::stored::{record, save, slot};

use crate::ground::open;

#[test]
fn one_replica_and_a_password_are_enough_to_find_all() {
    let cluster = Cluster::start_with(&Options::new().password("secret"));
    let seed = cluster.replica_of(cluster.primary_of_slot(0));
    let url = seed.url().replacen("redis://", "redis+cluster://", 1);
    let store = RedisStore::builder(&url).timeout(Duration::from_secs(8)).build().unwrap();
    for n in 0..20 {
        let name = format!("a:1:{n}");
        save(&store, &name, record(n, 50)).unwrap();
        assert_eq!(slot(&store, &name).unwrap().record, Some(record(n, 50)));
    }
    assert!(!format!("{store:?} {}", store.name()).contains("secret"));

    let wrong = url.replacen(":secret@", ":wrong@", 1);
    let store = RedisStore::builder(&wrong).timeout(Duration::from_secs(8)).build().unwrap();
    let error = slot(&store, "a:1:0").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("WRONGPASS"), "{error}");
    drop(open(&cluster, Duration::from_secs(8)));
}

#[test]
fn server_that_is_no_cluster_says_so() {
    let server = Server::start();
    let url = server.url().replacen("redis://", "redis+cluster://", 1);
    let store = RedisStore::builder(&url).timeout(Duration::from_secs(8)).build().unwrap();
    let error = slot(&store, "a:1:0").unwrap_err().to_string();
    assert!(error.contains("cluster support disabled"), "{error}");
}

#[test]
fn cluster_has_one_database() {
    for url in ["redis+cluster://localhost/1", "redis+cluster://localhost?db=1"] {
        let error = RedisStore::builder(url).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("no database but 0"), "{error}");
    }
}
