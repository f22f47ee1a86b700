//! Replicas and clusters that tests start: whoever is killed is replaced, and what is cut is cut.

use keyedcache_tests::redis::{Cluster, Options, Reply, Server};

fn set(server: &Server, key: &str) {
    assert_eq!(server.command(&["SET", key, "value"]).text(), "OK");
}

#[test]
fn replica_has_what_its_primary_has_until_that_is_cut() {
    let primary = Server::start();
    set(&primary, "before");
    let replica = primary.replica();
    let has = |key| replica.command(&["EXISTS", key]).number() == 1;
    assert!(has("before") && !replica.is_primary());
    let refusal = replica.try_command(&["SET", "key", "value"]).expect("it is up");
    assert!(
        matches!(&refusal, Reply::Error(error) if error.starts_with("READONLY")),
        "{refusal:?}"
    );
    set(&primary, "meanwhile");
    replica.wait_in_step_with(&primary);
    assert!(has("meanwhile"));

    primary.cut_replication();
    set(&primary, "unheard");
    replica.lead();
    assert!(replica.is_primary() && !has("unheard"));

    primary.restore_replication();
    replica.follow(&primary);
    assert!(has("unheard"));
}

#[test]
fn replica_of_a_server_with_a_password_asks_for_it_too() {
    let primary = Options::new().password("secret").start();
    let replica = primary.replica();
    assert!(replica.url().contains(":secret@"));
}

#[test]
fn replica_takes_the_place_of_a_primary_that_is_killed() {
    let cluster = Cluster::start();
    assert_eq!((cluster.servers().len(), cluster.primaries().len()), (6, 3));
    let primary = cluster.primary_of("key");
    set(primary, "key");
    let replica = cluster.replica_of(primary);
    replica.wait_in_step_with(primary);
    primary.cut_replication();
    set(primary, "{key}unheard");

    primary.kill();
    cluster.wait_failover(primary);
    assert_eq!(cluster.primary_of("key").port(), replica.port());
    assert_eq!(replica.command(&["EXISTS", "key", "{key}unheard"]).number(), 1);

    primary.restart();
    cluster.wait_whole();
    assert_eq!(cluster.replica_of(replica).port(), primary.port());
    cluster.promote(primary);
    assert_eq!(cluster.primary_of("key").port(), primary.port());
    assert_eq!(primary.command(&["EXISTS", "key", "{key}unheard"]).number(), 1);
}

#[test]
fn slot_moves_to_another_primary_with_its_keys() {
    let cluster = Cluster::start_with(&Options::new().user("ada", "secret"));
    assert!(cluster.url().starts_with("redis+cluster://ada:secret@127.0.0.1:"));
    let slot = cluster.slot_of("{tag}");
    let from = cluster.primary_of("{tag}");
    let to = cluster.primaries().into_iter().find(|other| other.port() != from.port());
    let to = to.expect("there are three");
    let key = |number: u32| format!("{{tag}}{number}");
    for number in 0..250 {
        set(from, &key(number));
    }

    let moving = cluster.start_moving(slot, to);
    assert_eq!(moving.keys(100), 100);
    let kind = |server: &Server, key: &str| match server.try_command(&["GET", key]) {
        Ok(Reply::Error(error)) => error.split(' ').next().unwrap_or_default().to_owned(),
        reply => reply.expect("it is up").text(),
    };
    let mut replies: Vec<_> = (0..250).map(|number| kind(from, &key(number))).collect();
    replies.sort();
    assert_eq!([&*replies[99], &*replies[100]], ["ASK", "value"], "half of it is moved");
    moving.finish();
    assert_eq!(kind(from, "{tag}0"), "MOVED");
    assert_eq!(cluster.primary_of("{tag}").port(), to.port());
    assert_eq!(to.command(&["DBSIZE"]).number(), 250);
}
