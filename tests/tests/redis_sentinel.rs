//! Stores that ask sentinels where the primary is: at the start, after a failover, and when nobody can
//! tell.

use std::time::{Duration, Instant};

use keyedcache::store::{RedisStore, Store};
use keyedcache::{Cache, ErrorKind, cache_key};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::{Options, Sentinels, Server};
use keyedcache_tests::stored::{key, record, save, slot};
use keyedcache_tests::watchdog::wait_until;

/// Things are right again so soon after a replica was promoted.
const RIGHT_AGAIN: Duration = Duration::from_secs(2);

/// The longest call of something that computes nothing: the timeout of 250 ms, and what a busy machine
/// takes.
const LONGEST: Duration = Duration::from_millis(750);

fn open(url: &str) -> RedisStore {
    let store = RedisStore::builder(url).build().expect("the URL is right");
    wait_until("a connection", || store.trusted());
    store
}

fn cache(url: &str) -> Cache {
    let cache = Cache::builder().url(url).near(0).build().expect("the URL is right");
    wait_until("a connection", || cache.require().wait().is_ok());
    cache
}

fn has(server: &Server, name: &str) -> bool {
    server.command(&["EXISTS", name]).number() == 1
}

/// Waits until another is the primary, and then until `is_right`; says how long that took.
fn right_after_promotion(replica: &Server, mut is_right: impl FnMut() -> bool) -> Duration {
    wait_until("a promotion", || {
        is_right();
        replica.is_primary()
    });
    let promoted = Instant::now();
    wait_until("it to be right again", is_right);
    promoted.elapsed()
}

#[test]
fn primary_is_found_at_the_start_and_again_after_it_died() {
    let all = Sentinels::start();
    let (primary, replica) = (all.primary(), all.replica());
    let cache = cache(&all.url());
    let mut number = 0;
    let mut call = || {
        number += 1;
        let began = Instant::now();
        let answer = cache.get_or_set(cache_key!("answer", number)).compute(async || number).wait();
        assert_eq!(answer, number);
        assert!(began.elapsed() < LONGEST, "a call took {:?}", began.elapsed());
        let stored = format!("keyedcache:1:answer::{number}");
        [primary, replica].map(|server| server.is_up() && has(server, &stored))
    };
    assert!(call()[0], "it is stored by the primary");
    primary.kill();
    let took = right_after_promotion(replica, || call()[1]);
    assert!(took < RIGHT_AGAIN, "{took:?} after the promotion");
}

#[test]
fn failover_by_hand_is_followed_by_whoever_logs_in() {
    let all = Sentinels::start_with(&Options::new().password("hunter2"));
    let store = open(&all.url());
    assert!(!format!("{store:?}").contains("hunter2"));
    let replica = all.replica();
    all.fail_over();
    let began = Instant::now();
    wait_until("a save", || save(&store, "k", record(1, 50)).is_ok());
    assert!(began.elapsed() < RIGHT_AGAIN, "{:?}", began.elapsed());
    assert!(has(replica, "k"));
}

/// As where the network lets nothing through between sentinels and the primary.
#[test]
fn primary_that_sentinels_have_replaced_and_cannot_demote_is_left() {
    let all = Sentinels::start();
    let store = open(&all.url());
    let (old, new) = (all.primary(), all.replica());
    save(&store, "before", record(1, 50)).unwrap();
    old.command(&["ACL", "SETUSER", "default", "-replicaof", "-slaveof"]);
    all.sentinels()[0].command(&["SENTINEL", "FAILOVER", all.name()]);
    all.wait_failover(old);
    assert!(old.is_primary(), "it does not know");
    let began = Instant::now();
    wait_until("a save by the new one", || {
        // While it looks for the new one, the old one's store takes nothing.
        let _ = save(&store, "after", record(2, 50));
        has(new, "after")
    });
    assert!(began.elapsed() < RIGHT_AGAIN + Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn what_was_deleted_and_invalidated_before_a_failover_does_not_come_back() {
    let all = Sentinels::start();
    let (primary, replica) = (all.primary(), all.replica());
    let [one, other] = [cache(&all.url()), cache(&all.url())];
    for name in ["deleted", "below", "kept"] {
        let stored = one.set(cache_key!(name, 1), &7).wait();
        stored.unwrap();
    }
    replica.wait_in_step_with(primary);
    primary.cut_replication();
    one.delete(cache_key!("deleted", 1)).wait().unwrap();
    one.delete(cache_key!("below")).children().wait().unwrap();
    assert!(has(replica, "keyedcache:1:deleted::1"), "it has not heard of it");
    primary.kill();
    all.wait_failover(primary);
    for cache in [&one, &other] {
        wait_until("a connection", || cache.require().wait().is_ok());
    }
    assert_eq!(other.get::<i32>(cache_key!("kept", 1)).wait().unwrap(), 7);
    for name in ["deleted", "below"] {
        other.get::<i32>(cache_key!(name, 1)).wait().unwrap_err();
    }
}

/// What is wrong, as a program is told that asks for it.
fn wrong(url: &str) -> String {
    let cache = Cache::builder().url(url).build().expect("the URL is right");
    let mut error = cache.require().wait().expect_err("it cannot be used");
    // At first it may not know yet.
    wait_until("an attempt", || {
        error = cache.require().wait().expect_err("it cannot be used");
        error.to_string().contains("no sentinel tells")
    });
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    error.to_string()
}

#[test]
fn wrong_name_and_absent_sentinels_are_told() {
    let all = Sentinels::start();
    let said = wrong(&all.url().replace("/tests", "/others"));
    let sentinel = all.sentinels()[0].address();
    assert!(said.contains("no sentinel tells where `others` is"), "{said}");
    assert!(said.contains(&format!("{sentinel}: it knows none of this name")), "{said}");

    let nobody = "127.0.0.1:1";
    let said = wrong(&format!("redis+sentinel://{nobody}/tests"));
    assert!(said.contains(nobody) && said.contains("refused"), "{said}");

    // One that lives is enough.
    let url = format!("redis+sentinel://{nobody},{sentinel}/tests");
    save(&open(&url), "k", record(1, 50)).unwrap();
    assert!(wait(open(&url).delete(&[key("k")])).unwrap() == 1);
}

#[test]
fn sentinels_have_users_of_their_own() {
    let all = Sentinels::start();
    for sentinel in all.sentinels() {
        sentinel.command(&["ACL", "SETUSER", "eye", "on", ">hunter2", "+@all"]);
    }
    let login = |password| format!("{}?sentinel_user=eye&sentinel_password={password}", all.url());
    let said = wrong(&login("hunter3"));
    assert!(said.contains("uthentication") && !said.contains("hunter3"), "{said}");
    cache(&login("hunter2")).require().wait().unwrap();
    let store = RedisStore::builder(&all.url()).sentinel_login("eye", "hunter2").build().unwrap();
    wait_until("a connection", || store.trusted());
    assert!(slot(&store, "k").unwrap().record.is_none());
}
