//! Everything is missing after a failover where that is asked for, and after nothing else.

use std::time::{Duration, Instant};

use keyedcache::record::{Generation, Scope};
use keyedcache::store::{OnFailover, RedisStore, Severity, Store, StoredKey};
use keyedcache_tests::drive::wait;
use keyedcache_tests::redis::{Cluster, Server};
use keyedcache_tests::stored::key;
use keyedcache_tests::watchdog::wait_until;

use crate::ground::{borne, builder, failing_over, ground, key_at, made, opened};

fn forgetting(cluster: &Cluster) -> RedisStore {
    opened(builder(cluster).on_failover(OnFailover::Forget))
}

fn everything() -> Scope {
    Scope::new("a::everything")
}

/// What lies on a server that is to fail, and on one that stays.
struct Apart<'c> {
    failing: &'c Server,
    /// A tag whose generation is on the first.
    tag: Scope,
    /// A key, and all that belongs to it, on the other.
    kept: StoredKey,
}

impl<'c> Apart<'c> {
    fn of(cluster: &'c Cluster) -> Self {
        let [failing, staying] = [500, 16000].map(|slot| cluster.primary_of_slot(slot));
        let tag = Scope::new(key_at(cluster, failing, "tag").as_str());
        // In the last share of slots, so that its generations are there too.
        let kept = (0..).map(|n| key(&format!("a:1:kept{n}")));
        let mut kept = kept.filter(|key| cluster.slot_of(key.as_str()) >= 15 * 1024);
        let kept = kept.next().expect("slots are spread over all");
        assert_eq!(cluster.primary_of(kept.as_str()).port(), staying.port());
        Self { failing, tag, kept }
    }

    /// What the tag and the cache bear, once both can be read.
    fn first(&self, store: &RedisStore) -> (Option<Generation>, Option<Generation>) {
        let scopes = [everything(), self.tag.clone()];
        let scopes = store.scopes_for(&self.kept, &scopes);
        let began = Instant::now();
        loop {
            if let Ok(loaded) = wait(store.load(std::slice::from_ref(&self.kept), &scopes)) {
                return (loaded.generations[0], loaded.generations[1]);
            }
            assert!(began.elapsed() < Duration::from_secs(20), "nobody takes over");
        }
    }
}

/// Whether nothing that bore this before is served any more.
fn is_missing(before: Generation, now: Option<Generation>) -> bool {
    now.is_none_or(|now| now.hard != before.hard && now.soft != before.soft)
}

#[test]
fn everything_is_missing_when_a_replica_took_over_that_had_not_heard_of_an_invalidation() {
    let (cluster, _) = failing_over();
    let apart = Apart::of(&cluster);
    let [store, other] = [(); 2].map(|()| forgetting(&cluster));
    let before = made(&store, &apart.kept, &everything());
    let tag = std::slice::from_ref(&apart.tag);
    let before_tag = wait(store.generations(tag)).unwrap()[0];
    assert_eq!(apart.first(&other), (Some(before), Some(before_tag)), "everyone sees the same");

    cluster.replica_of(apart.failing).wait_in_step_with(apart.failing);
    apart.failing.cut_replication();
    let ending = forgetting(&cluster);
    wait(ending.invalidate(tag, Severity::Hard)).unwrap();
    drop(ending); // nobody is left who would send it again
    apart.failing.kill();

    for store in [&store, &other] {
        let (now, now_tag) = apart.first(store);
        assert!(is_missing(before, now), "what is kept elsewhere");
        assert!(is_missing(before_tag, now_tag), "what was struck");
    }
    lasts(&cluster, &apart, [&store, &other]);
}

/// Data is lost without another primary: the server comes back with what it had before.
#[test]
fn everything_is_missing_when_a_primary_came_back_with_older_data() {
    let (cluster, _) = ground();
    let apart = Apart::of(&cluster);
    let [store, other] = [(); 2].map(|()| forgetting(&cluster));
    let before = made(&store, &apart.kept, &everything());
    let tag = std::slice::from_ref(&apart.tag);
    let before_tag = wait(store.generations(tag)).unwrap()[0];
    let snapshot = apart.failing.snapshot();
    let ending = forgetting(&cluster);
    wait(ending.invalidate(tag, Severity::Hard)).unwrap();
    drop(ending);
    apart.failing.restart_from(&snapshot);
    for store in [&store, &other] {
        let (now, now_tag) = apart.first(store);
        assert!(is_missing(before, now), "what is kept elsewhere");
        assert!(is_missing(before_tag, now_tag), "what was struck");
    }
    lasts(&cluster, &apart, [&store, &other]);
}

/// What another process may not have forgotten yet, or cannot, is not served to who can read what it
/// depends on.
#[test]
fn what_a_full_primary_cannot_forget_is_missing_all_the_same() {
    let (cluster, _) = failing_over();
    let apart = Apart::of(&cluster);
    let store = forgetting(&cluster);
    let before = made(&store, &apart.kept, &everything());
    wait(store.generations(std::slice::from_ref(&apart.tag))).unwrap();
    let staying = cluster.primary_of(apart.kept.as_str());
    cluster.replica_of(apart.failing).wait_in_step_with(apart.failing);
    staying.command(&["CONFIG", "SET", "maxmemory", "1"]);
    apart.failing.kill();
    assert_eq!(apart.first(&store).0, None);
    staying.command(&["CONFIG", "SET", "maxmemory", "0"]);
    lasts(&cluster, &apart, [&store, &forgetting(&cluster)]);
    assert!(is_missing(before, borne(&store, &apart.kept, &everything())));
}

/// From now on all see the same, which stays.
fn lasts(cluster: &Cluster, apart: &Apart<'_>, stores: [&RedisStore; 2]) {
    let began = Instant::now();
    let scopes = stores[0].scopes_for(&apart.kept, &[everything()]).into_owned();
    let mut now = None;
    wait_until("everything is stored again", || {
        now = wait(stores[0].generations(&scopes)).ok().map(|made| made[0]);
        now.is_some() && apart.first(stores[1]).0 == now
    });
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let stranger = forgetting(cluster);
    for store in [stores[0], stores[1], &stranger] {
        wait_until("trust", || store.trusted());
        assert_eq!(borne(store, &apart.kept, &everything()), now, "it is forgotten once");
    }
}

/// Makes an empty primary of a replica.
fn emptied<'c>(cluster: &'c Cluster, of: &Server) -> &'c Server {
    let newcomer = cluster.replica_of(of);
    newcomer.command(&["CLUSTER", "RESET"]);
    let (host, port) = ("127.0.0.1", of.port().to_string());
    newcomer.command(&["CLUSTER", "MEET", host, &port, &of.bus().to_string()]);
    wait_until("a new node", || {
        let nodes = newcomer.command(&["CLUSTER", "INFO"]).text();
        nodes.contains("cluster_state:ok") && newcomer.is_primary()
    });
    let id = newcomer.command(&["CLUSTER", "MYID"]).text();
    let know = |server: &&Server| server.command(&["CLUSTER", "NODES"]).text().contains(&id);
    wait_until("all to know it", || cluster.primaries().iter().all(know));
    newcomer
}

/// As [`Cluster::move_slot`], also where a server serves nothing before or after it.
fn move_slot(cluster: &Cluster, slot: u16, to: &Server) {
    let moving = cluster.start_moving(slot, to);
    while moving.keys(100) > 0 {}
    let id = to.command(&["CLUSTER", "MYID"]).text();
    let others = cluster.primaries().into_iter().filter(|other| other.port() != to.port());
    for server in std::iter::once(to).chain(others) {
        server.command(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id]);
    }
}

/// How many primaries' data an era is of.
fn marks(cluster: &Cluster) -> usize {
    let name = "{18}:era";
    let era = cluster.primary_of(name).command(&["STRLEN", name]).number();
    usize::try_from(era).expect("it is there").saturating_sub(16) / 8
}

#[test]
fn slots_that_are_moved_to_old_and_new_primaries_forget_nothing() {
    let (cluster, _) = ground();
    let stores = [(); 2].map(|()| forgetting(&cluster));
    let keys: Vec<_> = (0..100).map(|n| key(&format!("a:1:{n}"))).collect();
    let borne_by = |store: &RedisStore| {
        keys.iter().map(|key| borne(store, key, &everything())).collect::<Vec<_>>()
    };
    let before: Vec<_> =
        keys.iter().map(|key| Some(made(&stores[0], key, &everything()))).collect();
    let stands = |about| {
        for store in &stores {
            wait_until("trust", || store.trusted());
            assert_eq!(borne_by(store), before, "{about}");
        }
        assert_eq!(borne_by(&forgetting(&cluster)), before, "{about}, to a new process");
    };
    let [first, second, third] = cluster.primaries().try_into().expect("there are three");
    let era = cluster.slot_of("{18}");
    for to in [first, second, third, first] {
        if cluster.primary_of_slot(era).port() == to.port() {
            continue;
        }
        cluster.move_slot(era, to);
        stands("the slot of an era has moved");
    }
    let moved = cluster.slot_of("a:1:7");
    let old = cluster.primary_of_slot(moved);
    let newcomer = emptied(&cluster, second);
    move_slot(&cluster, moved, newcomer);
    wait_until("the new primary is known", || marks(&cluster) == 4);
    stands("a slot has moved to a new primary");

    // It is emptied again, and another comes.
    move_slot(&cluster, moved, old);
    wait_until("the emptied primary is not counted on", || marks(&cluster) == 3);
    stands("a primary was emptied");
    let another = emptied(&cluster, third);
    move_slot(&cluster, moved, another);
    wait_until("the other new primary is known", || marks(&cluster) == 4);
    stands("a slot has moved to another new primary");
}

#[test]
fn era_that_was_evicted_is_made_anew() {
    let (cluster, _) = ground();
    let store = forgetting(&cluster);
    let key = (0..).map(|n| key(&format!("a:1:{n}")));
    let key = key.into_iter().find(|key| cluster.slot_of(key.as_str()) < 1024).unwrap();
    let before = made(&store, &key, &everything());
    cluster.primary_of("{18}").command(&["DEL", "{18}:era"]);
    assert!(is_missing(before, borne(&store, &key, &everything())));
    let scopes = store.scopes_for(&key, &[everything()]).into_owned();
    wait_until("another era", || wait(store.generations(&scopes)).is_ok());
}
