//! Primaries that are killed before their replicas have heard of everything, and servers that begin
//! again with what they had before. Caches are used by processes.

use std::time::{Duration, Instant};

use keyedcache::{Cache, cache_key};
use keyedcache_tests::processes::talk::{Callers, Family, Scope, Subject, Surface, Work};
use keyedcache_tests::processes::{Ground, Team};
use keyedcache_tests::redis::{Cluster, Server};

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");

const COMPUTES: usize = 0;
const INVALIDATES: usize = 1;
const ASKS: usize = 2;
const PROCESSES: usize = 3;

/// Within this time after a failover all that was invalidated before is invalid again.
const AGAIN: Duration = Duration::from_secs(3);

/// A primary and its replica; caches are told the addresses of both.
fn pair() -> (Server, Server, Ground) {
    let primary = Server::start();
    let replica = primary.replica();
    let url = primary.url_at(&[primary.address(), replica.address()].join(","));
    (primary, replica, Ground::at(&url))
}

fn quick(surface: Surface, key: u64) -> Callers {
    Callers { surface, keys: vec![key], each: 2, work: Work::Takes(Duration::ZERO) }
}

#[test]
fn lease_that_its_replica_has_not_seen_costs_a_second_execution_and_one_answer_is_stored() {
    let (primary, replica, ground) = pair();
    let mut team = Team::start(ACTOR, &ground, PROCESSES);
    for surface in Surface::ALL {
        team.ask(team.processes(), &quick(surface, 9)); // connected
    }
    replica.wait_in_step_with(&primary);
    primary.cut_replication();
    let mut held = Vec::new();
    for surface in [Surface::Sync, Surface::ValueAwaited] {
        // One caller: of two, the other might come when the server is gone, and compute, too.
        let alone = Callers { work: Work::Held, each: 1, ..quick(surface, 1) };
        let gates = team.call([COMPUTES], &alone);
        held.push((surface, gates, team.next_execution(surface.subject(1), &[])));
    }
    primary.kill();
    replica.lead();
    for (surface, gates, first) in held {
        let subject = surface.subject(1);
        let began = Instant::now();
        let calls = team.ask([INVALIDATES, ASKS], &quick(surface, 1));
        assert!(began.elapsed() < AGAIN, "they waited for a lease that is lost");
        let second = team.execution_of(calls[0].answer);
        assert_ne!(second.id, first.id);
        team.release(first);
        for call in gates.into_iter().flat_map(|gate| team.answers(gate)) {
            assert_eq!(call.answer.execution, first.id, "it has what it has computed");
        }
        let known = team.heard().about(subject);
        assert!(known.len() <= 2 + INVALIDATES, "who could ask nobody may compute, too: {known:?}");
        // What was computed under the lost lease is stored nowhere.
        let stored = team.peek(ASKS, subject).map(|answer| answer.execution);
        for process in team.processes() {
            let calls = team.ask([process], &quick(surface, 1));
            assert_eq!(Some(calls[0].answer.execution), stored, "in process {process}");
        }
        assert_ne!(stored, Some(first.id));
    }
}

#[test]
fn invalidation_that_the_new_primary_has_not_seen_is_sent_to_it_again() {
    let (primary, replica, ground) = pair();
    comes_not_back(&ground, || {
        replica.wait_in_step_with(&primary);
        primary.cut_replication();
        Box::new(|| {
            primary.kill();
            replica.lead();
        })
    });
}

#[test]
fn invalidation_that_an_older_snapshot_has_not_seen_is_sent_to_the_server_again() {
    let server = Server::start();
    comes_not_back(&Ground::at(&server.url()), || {
        let snapshot = server.snapshot();
        let server = &server;
        Box::new(move || server.restart_from(&snapshot))
    });
}

#[test]
fn invalidation_that_was_taken_back_under_a_connection_that_stands_is_sent_again() {
    let server = Server::start();
    let other = Server::start();
    comes_not_back(&Ground::at(&server.url()), || {
        other.follow(&server);
        server.cut_replication();
        let (server, other) = (&server, &other);
        Box::new(move || {
            // The other one takes over with what it has, and gives back.
            other.lead();
            server.follow(other);
            server.lead();
        })
    });
}

#[test]
fn server_is_used_again_soon_however_much_was_invalidated_in_the_last_minute() {
    /// A busy minute.
    const DELETED: u64 = 60_000;

    let server = Server::start();
    let cache = Cache::from_url(&server.url()).unwrap();
    let key = |number: u64| cache_key!("deleted", number);
    cache.set(key(DELETED - 1), &1).wait().unwrap();
    let snapshot = server.snapshot();
    let deleting = Instant::now();
    for from in (0..DELETED).step_by(200) {
        cache.delete_many((from..from + 200).map(key)).wait().unwrap();
    }
    // It is the same work again, which takes a busy machine longer.
    let at_most = 2 * AGAIN.max(deleting.elapsed());
    server.restart_from(&snapshot);
    let there = Instant::now();
    let mut is_stored = false;
    while !is_stored {
        let slowest = Instant::now();
        is_stored = cache.set(key(DELETED), &1).wait().is_ok();
        assert!(slowest.elapsed() < Duration::from_secs(1), "it took {:?}", slowest.elapsed());
        assert!(there.elapsed() < at_most, "it is not used after {:?}", there.elapsed());
    }
    println!("used again after {:?}", there.elapsed());
    assert!(cache.get::<i32>(key(DELETED - 1)).wait().is_err(), "what was deleted is back");
}

#[test]
fn everything_is_missing_on_a_new_primary_where_that_is_asked_for() {
    let (primary, replica, ground) = pair();
    is_forgotten(&ground.with("on_failover=forget"), || {
        replica.wait_in_step_with(&primary);
        primary.cut_replication();
        Box::new(|| {
            primary.kill();
            replica.lead();
        })
    });
}

/// As [`everything_is_missing_on_a_new_primary_where_that_is_asked_for`], on one of three primaries.
#[test]
fn everything_is_missing_on_a_cluster_with_a_new_primary_where_that_is_asked_for() {
    let cluster = Cluster::start();
    let has_record = |primary: &&Server| {
        let names = primary.command(&["KEYS", "*"]);
        names.list().iter().any(|name| !name.text().starts_with('{'))
    };
    is_forgotten(&Ground::at(&cluster.url()).with("on_failover=forget"), || {
        let primary = cluster.primaries().into_iter().find(has_record).expect("some are stored");
        cluster.replica_of(primary).wait_in_step_with(primary);
        primary.cut_replication();
        let cluster = &cluster;
        Box::new(move || {
            primary.kill();
            cluster.wait_failover(primary);
        })
    });
}

#[test]
fn everything_is_missing_after_a_restart_from_a_snapshot_where_that_is_asked_for() {
    let server = Server::start();
    is_forgotten(&Ground::at(&server.url()).with("on_failover=forget"), || {
        let snapshot = server.snapshot();
        let server = &server;
        Box::new(move || server.restart_from(&snapshot))
    });
}

/// As [`comes_not_back`], but who invalidated is gone when the server fails; and what nobody has
/// invalidated is missing, too.
fn is_forgotten<'s>(ground: &Ground, prepare: impl FnOnce() -> Box<dyn FnOnce() + 's>) {
    let subjects = Surface::ALL.map(|surface| (surface, 1));
    let mut team = Team::start(ACTOR, ground, PROCESSES);
    for _ in 0..2 {
        for (surface, key) in subjects {
            team.ask(team.processes(), &quick(surface, key));
        }
    }
    assert_eq!(team.heard().executions.len(), 3, "each once, though values in two ways");
    let fail = prepare();
    team.invalidate(INVALIDATES, Scope::SyncFunction);
    team.kill(INVALIDATES);
    fail();
    let old: Vec<_> = team.heard().executions.iter().map(|known| known.id).collect();
    let failed = Instant::now();
    let heard = |team: &mut Team<'_>, surface: Surface, key| {
        let calls = team.ask([COMPUTES, ASKS], &quick(surface, key));
        let peeked = [COMPUTES, ASKS].map(|process| team.peek(process, surface.subject(key)));
        let answers = calls.iter().map(|call| call.answer).chain(peeked.into_iter().flatten());
        let is_old = answers.into_iter().any(|answer| old.contains(&answer.execution));
        assert!(failed.elapsed() < AGAIN, "what was cached is back, or nothing is stored");
        (is_old, peeked.iter().all(Option::is_some) && peeked[0] == peeked[1])
    };
    for (surface, key) in subjects {
        // That a connection is lost is noticed a little later.
        while heard(&mut team, surface, key).0 {}
    }
    for (surface, key) in subjects {
        let mut is_stored = false;
        while !is_stored {
            let (is_old, is_stored_now) = heard(&mut team, surface, key);
            assert!(!is_old, "what was cached is back");
            is_stored = is_stored_now;
        }
    }
    // One execution each, for all: the new ones are stored, and read by who comes later.
    team.replace(INVALIDATES);
    for (surface, key) in subjects {
        let calls = team.ask([INVALIDATES], &quick(surface, key));
        let known = team.execution_of(calls[0].answer);
        assert_ne!(known.process, INVALIDATES, "nothing is stored in the new era");
    }
}

/// All kinds of answers are cached, then `prepare` has what comes after it be lost by what it returns;
/// in between everything is invalidated, one way each.
fn comes_not_back<'s>(ground: &Ground, prepare: impl FnOnce() -> Box<dyn FnOnce() + 's>) {
    let value = |key| Subject { family: Family::Values, key };
    let cases = [
        (Surface::Sync, 1, Scope::Key(Surface::Sync.subject(1))),
        (Surface::Async, 2, Scope::AsyncFunction),
        (Surface::ValueWaited, 3, Scope::Prefix(3)),
        (Surface::ValueAwaited, 4, Scope::Key(value(4))),
    ];
    let mut team = Team::start(ACTOR, ground, PROCESSES);
    for (surface, key, _) in cases {
        for _ in 0..2 {
            let calls = team.ask(team.processes(), &quick(surface, key));
            assert!(calls.iter().all(|call| call.answer.truth == 0));
        }
    }
    let fail = prepare();
    for (_, _, scope) in cases {
        team.invalidate(INVALIDATES, scope);
    }
    fail();
    let failed = Instant::now();
    let mut old = 0;
    while failed.elapsed() < AGAIN {
        old += answers(&mut team, &cases, 0);
    }
    println!("{old} old answers within {AGAIN:?}");
    assert_eq!(answers(&mut team, &cases, 0), 0, "what was invalidated is back");
    for (surface, key, _) in cases {
        for process in team.processes() {
            let peeked = team.peek(process, surface.subject(key));
            assert_eq!(peeked.map(|answer| answer.truth), Some(1), "{surface:?} in {process}");
        }
    }
}

/// How many of the answers of all processes are of this truth.
fn answers(team: &mut Team<'_>, cases: &[(Surface, u64, Scope)], truth: u64) -> usize {
    let mut count = 0;
    for (surface, key, _) in cases {
        let calls = team.ask(team.processes(), &quick(*surface, *key));
        count += calls.iter().filter(|call| call.answer.truth == truth).count();
    }
    count
}
