//! Never back: once an invalidation is acknowledged, what began before is not to be had any more.
//!
//! The oracle is a truth that the cache knows nothing of: a number, for each key, that a body reads
//! as it begins and answers with. It changes *before* an invalidation is sent. So whoever asks after
//! the acknowledgement must get an answer with the new number or a newer one, wherever it comes
//! from; an older one was begun before the change.

use std::thread;
use std::time::Duration;

use keyedcache_tests::dice::Dice;
use keyedcache_tests::processes::talk::{Call, Callers, Scope, Soak, Subject, Surface, Work};
use keyedcache_tests::processes::{Execution, Ground, SharedInstant, Team};

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const PROCESSES: usize = 4;

/// Which process does what while a computation is held.
const COMPUTES: usize = 0;
const WAITS: usize = 1;
const INVALIDATES: usize = 2;

/// More than an answer takes on a busy machine, and less than any lease.
const SOON: Duration = Duration::from_secs(2);

/// The tests, on one ground after another.
macro_rules! on {
    ($name:ident: $ground:expr, $rounds:ident) => {
        mod $name {
            use keyedcache_tests::processes::Ground;
            use keyedcache_tests::processes::talk::{Family, Scope};

            #[test]
            fn invalidating_a_key_while_it_is_computed_elsewhere() {
                super::while_computing(&$ground, Scope::Key);
            }

            #[test]
            fn invalidating_a_function_while_it_computes_elsewhere() {
                super::while_computing(&$ground, |subject| match subject.family {
                    Family::Sync => Scope::SyncFunction,
                    Family::Async => Scope::AsyncFunction,
                    Family::Values => Scope::Prefix(subject.key),
                });
            }

            #[test]
            fn invalidating_the_cache_while_it_is_computed_for_elsewhere() {
                super::while_computing(&$ground, |_| Scope::Cache);
            }

            #[test]
            fn random_invalidations_among_random_callers() {
                super::random_rounds(&$ground, &super::$rounds);
            }
        }
    };
}

on!(disk: Ground::disk(), QUICK);
on!(redis: Ground::redis(), QUICK);
on!(s3: Ground::s3(), SLOW);

/// Where processes do not wait for each other, so that there are no steps to go by.
#[test]
fn random_invalidations_among_random_callers_on_s3_that_ignores_preconditions() {
    random_rounds(&Ground::unheeding_s3(), &SLOW);
}

/// To start a cluster takes seconds, and its six servers share the machine with all the processes, so
/// here is less.
mod cluster {
    use keyedcache_tests::processes::Ground;

    #[test]
    fn invalidating_the_cache_while_it_is_computed_for_elsewhere() {
        super::while_computing(&Ground::cluster(), |_| super::Scope::Cache);
    }

    #[test]
    fn random_invalidations_among_random_callers() {
        super::random_rounds(&Ground::cluster(), &super::few(5));
    }

    #[test]
    fn random_invalidations_among_random_callers_without_near_caches() {
        super::random_rounds(&Ground::cluster().without_near(), &super::few(10));
    }
}

/// What no delay of pushes could excuse.
#[test]
fn random_invalidations_among_random_callers_on_redis_without_near_caches() {
    random_rounds(&Ground::redis().without_near(), &QUICK);
}

/// One process is held computing, another one waits for it, a third one invalidates, and then each
/// in its turn is the `first` to call anew.
fn while_computing(ground: &Ground, scope_of: impl Fn(Subject) -> Scope) {
    let mut team = Team::start(ACTOR, ground, PROCESSES);
    for first in team.processes() {
        for surface in Surface::ALL {
            for others_wait in [true, false] {
                let key = first as u64;
                let scope = scope_of(surface.subject(key));
                step_by_step(&mut team, &Step { surface, key, scope, first, others_wait });
            }
        }
    }
}

/// One invalidation of what one process computes.
struct Step {
    surface: Surface,
    key: u64,
    scope: Scope,
    /// Whose callers ask first after it.
    first: usize,
    /// Whether there are callers before it, who are likely to take over at once.
    others_wait: bool,
}

fn step_by_step(team: &mut Team<'_>, step: &Step) {
    let Step { surface, key, scope, first, others_wait } = *step;
    let subject = surface.subject(key);
    let held = Callers { surface, keys: vec![key], each: 1, work: Work::Held };
    let quick = Callers { each: 3, work: Work::Takes(Duration::ZERO), ..held.clone() };
    team.invalidate_everywhere(INVALIDATES, scope); // of another surface the key may be known
    team.forget_executions();

    let computing = team.call([COMPUTES], &held);
    let old = team.next_execution(subject, &[]);
    let waiting = if others_wait {
        let waited = team.counted(WAITS).waited;
        let waiting = team.call([COMPUTES, WAITS], &quick);
        team.count_until("waiting", WAITS, |counted| counted.waited > waited);
        waiting
    } else {
        Vec::new()
    };
    let (_, acknowledged) = team.invalidate_everywhere(INVALIDATES, scope);

    // The old one still runs, and nobody who comes now has anything of it.
    let calls = team.ask([first], &quick);
    let new = team.execution_of(calls[0].answer);
    assert_ne!(new.id, old.id, "callers of process {first} joined what was invalidated");
    assert_all_of(&calls, new, "a caller that came after the acknowledgement");
    let slowest = calls.iter().map(|call| call.ended.since(call.began)).max();
    assert!(slowest < Some(SOON), "callers of process {first} waited for the old one: {slowest:?}");
    let calls = team.ask(team.processes(), &quick);
    assert_all_of(&calls, new, "a caller that came later");

    // Those who came before have an answer, too.
    team.release(old);
    let calls: Vec<_> = computing.into_iter().flat_map(|gate| team.answers(gate)).collect();
    assert_all_of(&calls, old, "the caller that computed all the while");
    for gate in waiting {
        team.answers(gate);
    }

    // And the late answer is nowhere.
    for process in team.processes() {
        let cached = team.peek(process, subject).map(|answer| answer.execution);
        assert_eq!(cached, Some(new.id), "what process {process} reads after {scope:?}");
    }
    for turn in ["from the store", "from the near cache"] {
        assert_all_of(&team.ask(team.processes(), &quick), new, turn);
    }
    // One that came while it was invalidated may have computed what was cleared after that.
    let mut others = team.heard().about(subject);
    others.retain(|other| ![old.id, new.id].contains(&other.id) && acknowledged < other.began);
    assert!(others.is_empty(), "more than one has computed anew: {others:#?}");
}

fn assert_all_of(calls: &[Call], execution: Execution, who: &str) {
    let strange = calls.iter().find(|call| call.answer.execution != execution.id);
    assert!(strange.is_none(), "{who} has not the answer of {execution:?} but {strange:?}");
}

/// How random rounds go.
struct Rounds {
    /// How many there are if nobody says.
    usual: u64,
    /// Longer than any call takes.
    slowest: Duration,
    /// Whether an invalidation came while a computation ran.
    strikes: fn(Sent, &[Execution]) -> bool,
    /// One of so many must, or the test shows nothing: rounds go on until as many have.
    one_in: u64,
}

/// So many times as many rounds there are at most: a machine that is busy with something else takes
/// longer over each invalidation, and then fewer of them are done while a computation runs.
const AT_MOST: usize = 4;

/// Where an invalidation is faster than most computations.
const QUICK: Rounds = Rounds {
    usual: 1_000,
    slowest: Duration::from_secs(2),
    strikes: is_within_an_execution,
    one_in: 5,
};

/// Where rounds take so many times as long, and six servers share the machine with all processes.
const fn few(times: u64) -> Rounds {
    Rounds { usual: QUICK.usual / times, one_in: 20, ..QUICK }
}

/// Where it is slower. A call may be slow too, but nobody waits for a lease that nobody holds.
const SLOW: Rounds = Rounds {
    usual: 60,
    slowest: Duration::from_secs(30),
    strikes: is_beside_an_execution,
    one_in: 5,
};

/// Callers of all kinds ask in all processes, all the time, while now one process, now another one
/// invalidates something.
///
/// `KEYEDCACHE_ROUNDS` says how many invalidations at least; `KEYEDCACHE_SEED` repeats a run's dice.
fn random_rounds(ground: &Ground, how: &Rounds) {
    const KEYS: u64 = 2;

    let rounds = std::env::var("KEYEDCACHE_ROUNDS").ok();
    let rounds = rounds.map_or(how.usual, |rounds| rounds.parse().expect("a number of rounds"));
    let mut dice = Dice::new();
    let mut team = Team::start(ACTOR, ground, PROCESSES);
    team.soak(Soak { seed: dice.seed(), keys: KEYS, each: 2 });

    let mut sent = Vec::new();
    let mut scope = Scope::Cache;
    for _ in 0..AT_MOST {
        for _ in 0..rounds {
            if dice.one_in(4) {
                scope = any_scope(&mut dice, KEYS);
            }
            thread::sleep(dice.micros(0..=12_000));
            let process = dice.one_of(&[0, 1, 2, 3]);
            let (begun, acknowledged) = team.invalidate(process, scope);
            sent.push((scope, begun, acknowledged));
        }
        if how.have_struck(&sent, &team) * how.one_in > rounds {
            break;
        }
    }
    let findings = team.halt();

    let violations: Vec<_> = findings.iter().flat_map(|found| &found.violations).collect();
    assert!(violations.is_empty(), "answers that had been invalidated: {violations:#?}");
    let longest = findings.iter().map(|found| found.longest).max().unwrap_or_default();
    assert!(longest < how.slowest, "a call took {longest:?}");

    let answers: u64 = findings.iter().map(|found| found.answers).sum();
    let struck = how.have_struck(&sent, &team);
    println!(
        "{} invalidations, {struck} while a computation ran; {} executions; {answers} answers, the \
         slowest after {longest:?}",
        sent.len(),
        team.heard().executions.len(),
    );
    assert!(struck * how.one_in > rounds, "too few invalidations came while a computation ran");
}

/// An invalidation: of what, when it was sent, and when it was acknowledged.
type Sent = (Scope, SharedInstant, SharedInstant);

impl Rounds {
    /// How many of these came while a computation ran.
    fn have_struck(&self, sent: &[Sent], team: &Team<'_>) -> u64 {
        let executions = &team.heard().executions;
        sent.iter().filter(|sent| (self.strikes)(**sent, executions)).count() as u64
    }
}

fn any_scope(dice: &mut Dice, keys: u64) -> Scope {
    let key = dice.below(keys);
    let surface = dice.one_of(&Surface::ALL);
    match dice.below(4) {
        0 => Scope::Key(surface.subject(key)),
        1 => dice.one_of(&[Scope::SyncFunction, Scope::AsyncFunction]),
        2 => Scope::Prefix(key),
        _ => Scope::Cache,
    }
}

/// Whether something it is about was computed from before it was sent until after it was
/// acknowledged.
fn is_within_an_execution((scope, sent, acknowledged): Sent, executions: &[Execution]) -> bool {
    executions.iter().any(|execution| {
        scope.covers(execution.subject)
            && execution.began < sent
            && execution.ended.is_some_and(|ended| acknowledged < ended)
    })
}

/// Whether something it is about was computed at any time between its being sent and acknowledged.
fn is_beside_an_execution((scope, sent, acknowledged): Sent, executions: &[Execution]) -> bool {
    executions.iter().any(|execution| {
        scope.covers(execution.subject)
            && execution.began < acknowledged
            && execution.ended.is_some_and(|ended| sent < ended)
    })
}
