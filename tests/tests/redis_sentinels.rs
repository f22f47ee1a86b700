//! Sentinels that tests start: they replace a primary that is killed, and demote it when it is back.

use keyedcache_tests::redis::{Options, Reply, Sentinels, Server};

fn set(server: &Server, key: &str) -> Reply {
    server.try_command(&["SET", key, "value"]).expect("it is up")
}

#[test]
fn sentinels_put_the_replica_in_the_place_of_a_primary_that_is_killed() {
    let all = Sentinels::start();
    assert!(all.url().starts_with("redis+sentinel://127.0.0.1:") && all.url().ends_with("/tests"));
    let (primary, replica) = (all.primary(), all.replica());
    assert_eq!(set(primary, "key").text(), "OK");
    replica.wait_in_step_with(primary);
    primary.kill();
    all.wait_failover(primary);
    assert_eq!(all.primary().port(), replica.port());
    assert_eq!(replica.command(&["GET", "key"]).text(), "value");
    assert_eq!(set(replica, "later").text(), "OK");

    primary.restart();
    all.wait_whole();
    assert!(!primary.is_primary(), "it is back as what it was");
    assert!(matches!(set(primary, "key"), Reply::Error(error) if error.starts_with("READONLY")));
}

#[test]
fn sentinels_fail_over_when_told_to() {
    let all = Sentinels::start_with(&Options::new().password("secret"));
    let replica = all.replica();
    all.fail_over();
    assert_eq!(all.primary().port(), replica.port());
    assert!(replica.is_primary() && !all.replica().is_primary());
}
