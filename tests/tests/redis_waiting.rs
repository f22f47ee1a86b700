//! Waiting for what another process computes costs a server next to nothing, however many wait.

// What tests share panics as they do.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use keyedcache::cached;
use keyedcache_tests::gate::Gate;
use keyedcache_tests::place::{Place, alone};
use keyedcache_tests::processes::talk::{Callers, Surface, Work};
use keyedcache_tests::processes::{Ground, Team};
use keyedcache_tests::proxy::Proxy;
use keyedcache_tests::redis::Server;
use keyedcache_tests::watchdog::wait_until;

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const PROCESSES: usize = 4;
const KEYS: u64 = 100;

/// What processes have sent, but for their signs of life. Commands within scripts are counted, too, and
/// are none of it.
fn sent(calls: &BTreeMap<String, u64>) -> u64 {
    let sent = ["mget", "evalsha", "eval"];
    sent.iter().filter_map(|command| calls.get(*command)).sum()
}

#[test]
fn ten_thousand_tasks_of_four_processes_execute_each_key_once_for_three_commands_each() {
    let server = Server::start();
    // So many are too many for a build without optimization on a machine that does something else.
    let ground = Ground::at(&server.url()).with("store_timeout=5s");
    stampede(&server, &ground, Duration::from_millis(600), 25);
}

#[test]
fn renewals_cost_processes_that_wait_nothing() {
    let server = Server::start();
    let ground = Ground::at(&server.url()).lease(Duration::from_millis(600));
    let renewals = stampede(&server, &ground, Duration::from_millis(1_500), 2);
    assert!(renewals > 2 * KEYS, "there were {renewals} renewals only");
}

/// All tasks of all processes ask for all keys at one moment; how often leases were renewed.
fn stampede(server: &Server, ground: &Ground, takes: Duration, each: usize) -> u64 {
    let surface = Surface::Async;
    let mut team = Team::start(ACTOR, ground, PROCESSES);
    // Connections, scripts and generations are there.
    let known = Callers { surface, keys: vec![KEYS], each: 1, work: Work::Takes(Duration::ZERO) };
    team.ask(team.processes(), &known);
    // And each process knows for how long those live: until it does, each save asks once more.
    for process in team.processes() {
        let own = KEYS + 1 + u64::try_from(process).unwrap();
        team.ask([process], &Callers { keys: vec![own], ..known.clone() });
    }
    let waited_before: u64 = team.processes().map(|process| team.counted(process).waited).sum();
    let callers = Callers { surface, keys: (0..KEYS).collect(), each, work: Work::Takes(takes) };
    let gates = team.gather(team.processes(), &callers);
    server.reset_calls();
    team.open(&gates);
    let calls: Vec<_> = gates.into_iter().flat_map(|gate| team.answers(gate)).collect();
    let commands = server.calls();

    assert_eq!(calls.len(), PROCESSES * each * usize::try_from(KEYS).unwrap());
    for key in 0..KEYS {
        let executions = team.heard().about(surface.subject(key));
        assert_eq!(executions.len(), 1, "of key {key}: {executions:?}");
    }
    let strange = calls.iter().find(|call| {
        let executions = team.heard().about(call.answer.subject);
        executions[0].id != call.answer.execution
    });
    assert!(strange.is_none(), "the answer of another execution: {strange:?}");

    let waited: u64 = team.processes().map(|process| team.counted(process).waited).sum();
    let (waited, most) = (waited - waited_before, KEYS * (PROCESSES as u64 - 1));
    let renewals = commands.get("pexpire").copied().unwrap_or_default();
    let sent = sent(&commands);
    println!(
        "{waited} of {most} waited; {sent} commands in all, {renewals} renewals; {commands:?}"
    );
    assert!(waited > most / 2, "too few waited to show anything: {waited}");
    // Once for each time that a lease stands; woken by each renewal, they would wait eight times.
    assert!(waited <= 5 * most, "{waited} waits of {most} that wait");
    // Of each process one call goes on after its first question: the one that computes asks for the
    // lease, and saves; those that wait ask for the lease, and for what was stored.
    // Both once more when the lease has stood for its first time, and was renewed.
    let again = waited.saturating_sub(most);
    let scripts = sent - commands["mget"];
    // Now and then a process makes sure that the generations of the two scopes live long enough.
    let lives = 4 * PROCESSES as u64;
    // By its own clock the lease of one that waits may end a moment early: then it asks twice.
    let early = again / 2;
    let allowed = KEYS * 2 + most + again + early + renewals + lives;
    assert!(scripts <= allowed, "{scripts} calls of scripts, and {allowed} would do");
    // Each call begins with a question of its own; a few come when it is all over.
    let begun = calls.len() as u64;
    let allowed = begun + most + again + begun / 100;
    assert!(commands["mget"] <= allowed, "{} reads, and {allowed} would do", commands["mget"]);
    renewals
}

#[test]
fn who_waits_sends_nothing_while_nothing_happens() {
    let server = Server::start();
    let ground = Ground::at(&server.url());
    let mut team = Team::start(ACTOR, &ground, PROCESSES);
    let surface = Surface::Sync;
    let held = Callers { surface, keys: vec![1], each: 1, work: Work::Held };
    let gates = team.call([0], &held);
    let execution = team.next_execution(surface.subject(1), &[]);
    let waiting = team.call(1..PROCESSES, &held);
    for process in 1..PROCESSES {
        team.count_until("waiting", process, |counted| counted.waited == 1);
    }
    server.reset_calls();
    thread::sleep(Duration::from_millis(1_500)); // two signs of life, no renewal
    let commands = server.calls();
    assert_eq!(sent(&commands), 0, "{commands:?}");
    assert!(commands["time"] >= PROCESSES as u64, "there are signs of life: {commands:?}");
    team.release(execution);
    for gate in gates.into_iter().chain(waiting) {
        let calls = team.answers(gate);
        assert!(calls.iter().all(|call| call.answer.execution == execution.id));
    }
    assert_eq!(team.heard().about(surface.subject(1)).len(), 1);
}

#[test]
fn waiter_whose_connection_is_lost_reads_again_and_misses_nothing() {
    static GATE: Gate = Gate::new();

    #[cached(cache = "waiting", name = "waited_for")]
    fn waits(key: u64) -> u64 {
        key + 1_000
    }

    #[cached(cache = "computing", name = "waited_for")]
    fn computes(key: u64) -> u64 {
        GATE.pass();
        key
    }

    let _alone = alone();
    let server = Server::start();
    let proxy = Proxy::to(&server.address());
    let cache = Place::redis(&server.url_at(&proxy.address())).register("waiting");
    let computing = Place::redis(&server.url()).register("computing");
    for key in 0..20 {
        GATE.close();
        let (waited, runs) = (cache.stats().waited, GATE.runs());
        let computes = thread::spawn(move || computes(key));
        wait_until("it runs", || GATE.runs() > runs);
        let waits = thread::spawn(move || waits(key));
        wait_until("it waits", || cache.stats().waited > waited);
        let saved = computing.stats().saved;
        if key % 2 == 0 {
            // What is pushed while there is no connection is missed.
            proxy.cut();
            GATE.open();
        } else {
            let connections = proxy.traffic().connections;
            proxy.cut();
            wait_until("another connection", || proxy.traffic().connections > connections);
            GATE.open();
        }
        wait_until("the save", || computing.stats().saved > saved);
        let saved = Instant::now();
        assert_eq!(waits.join().unwrap(), key, "it computed by itself");
        assert!(saved.elapsed() < Duration::from_secs(1), "it came {:?} late", saved.elapsed());
        assert_eq!(computes.join().unwrap(), key);
    }
}
