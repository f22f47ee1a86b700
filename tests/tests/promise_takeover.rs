//! Once, when the one that runs dies or is stopped: another takes over, and what comes late is
//! refused.

use std::thread;
use std::time::Duration;

use keyedcache_tests::dice::Dice;
use keyedcache_tests::processes::talk::{Answer, Callers, Surface, Work};
use keyedcache_tests::processes::{Execution, Gate, Ground, Team};

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const PROCESSES: usize = 4;

/// What a busy machine may add, now and then, to how soon another takes over.
const SLACK: Duration = Duration::from_millis(400);

/// The tests, on one ground after another.
macro_rules! on {
    ($name:ident: $ground:expr, lease $short:expr) => {
        mod $name {
            use keyedcache_tests::processes::Ground;
            use keyedcache_tests::processes::talk::Surface;

            use super::Duration;

            /// The lease of one that is stopped for longer.
            const SHORT: Duration = $short;

            #[test]
            fn another_process_takes_over_from_one_that_is_killed_while_threads_wait() {
                super::killed($ground, Surface::Sync, 8);
            }

            #[test]
            fn another_process_takes_over_from_one_that_is_killed_while_tasks_wait() {
                super::killed($ground, Surface::Async, 50);
            }

            #[test]
            fn another_process_takes_over_a_value_from_one_that_is_killed() {
                super::killed($ground, Surface::ValueAwaited, 50);
            }

            #[test]
            fn a_late_save_of_a_sync_function_is_refused_and_the_newer_answer_stands() {
                super::stopped(&$ground.lease(SHORT), Surface::Sync);
            }

            #[test]
            fn a_late_save_of_an_async_function_is_refused_and_the_newer_answer_stands() {
                super::stopped(&$ground.lease(SHORT), Surface::Async);
            }

            #[test]
            fn a_late_save_of_a_value_is_refused_and_the_newer_one_stands() {
                super::stopped(&$ground.lease(SHORT), Surface::ValueAwaited);
            }

            #[test]
            fn a_late_save_is_refused_while_another_process_still_computes() {
                super::stopped_and_back_too_early(&$ground.lease(SHORT), Surface::Sync);
                super::stopped_and_back_too_early(&$ground.lease(SHORT), Surface::Async);
            }
        }
    };
}

on!(disk: Ground::disk(), lease Duration::from_millis(300));
on!(redis: Ground::redis(), lease Duration::from_millis(300));
on!(s3: Ground::s3(), lease Duration::from_secs(1));

/// To start a cluster takes seconds, so here are fewer.
mod cluster {
    use keyedcache_tests::processes::Ground;
    use keyedcache_tests::processes::talk::Surface;

    /// The lease of one that is stopped for longer.
    const SHORT: std::time::Duration = std::time::Duration::from_millis(300);

    #[test]
    fn another_process_takes_over_from_one_that_is_killed_while_tasks_wait() {
        super::killed(Ground::cluster(), Surface::Async, 50);
    }

    #[test]
    fn a_late_save_is_refused_and_the_newer_answer_stands() {
        super::stopped(&Ground::cluster().lease(SHORT), Surface::Sync);
    }
}

/// The process that computes is killed while all others wait for its answer.
fn killed(ground: Ground, surface: Surface, each: usize) {
    // Where death is not noticed, the end of the lease has to be waited for.
    let (ground, rounds) = if ground.notices_death() {
        (ground, 15)
    } else {
        (ground.lease(Duration::from_secs(1)), 6)
    };
    let mut dice = Dice::new();
    let mut team = Team::start(ACTOR, &ground, PROCESSES);
    let mut delays = Vec::new();
    for key in 0..rounds {
        let subject = surface.subject(key);
        let (gates, first) = call_a_held_one(&mut team, surface, key, each);
        thread::sleep(dice.micros(0..=30_000));
        let killed = team.kill(first.process);

        let second = team.next_execution(subject, &[first.id]);
        delays.push(second.began.since(killed));
        assert_ne!(second.process, first.process, "it is dead");
        assert_others_answered_by(&mut team, &gates, first, second);
        let executions = team.heard().about(subject);
        assert_eq!(executions.len(), 2, "one more execution, not several: {executions:#?}");
        team.replace(first.process);
    }
    delays.sort();
    println!("from the kill to the next execution: {delays:?}");
    let (median, longest) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    assert!(median <= ground.takeover(), "usually another takes over only after {median:?}");
    assert!(longest <= ground.takeover() + SLACK, "once another took over only after {longest:?}");
}

/// The process that computes is stopped for longer than its lease; another computes and stores.
fn stopped(ground: &Ground, surface: Surface) {
    const ROUNDS: u64 = 5;

    let mut team = Team::start(ACTOR, ground, PROCESSES);
    for key in 0..ROUNDS {
        let subject = surface.subject(key);
        let (gates, first) = call_a_held_one(&mut team, surface, key, 4);
        let refused = team.counted(first.process).refused;
        team.stop(first.process);

        let second = team.next_execution(subject, &[first.id]);
        assert_ne!(second.process, first.process, "it is stopped");
        assert_others_answered_by(&mut team, &gates, first, second);

        team.resume(first.process);
        assert_all_have(&mut team, surface, key, second);
        finish_late(&mut team, first, refused);
        assert_own_callers_answered(&mut team, &gates, first, second);
        assert_all_have(&mut team, surface, key, second);
        assert_eq!(team.heard().about(subject).len(), 2, "nobody else has computed");
    }
}

/// The same, but the first goes on and answers while the other still computes.
fn stopped_and_back_too_early(ground: &Ground, surface: Surface) {
    const ROUNDS: u64 = 3;

    let mut team = Team::start(ACTOR, ground, PROCESSES);
    for key in 0..ROUNDS {
        let subject = surface.subject(key);
        let (gates, first) = call_a_held_one(&mut team, surface, key, 4);
        let refused = team.counted(first.process).refused;
        team.stop(first.process);
        let second = team.next_execution(subject, &[first.id]);

        team.resume(first.process);
        finish_late(&mut team, first, refused);
        for process in team.processes() {
            let cached = team.peek(process, subject);
            assert!(cached.is_none(), "what was refused is cached: {cached:?}");
        }

        assert_others_answered_by(&mut team, &gates, first, second);
        assert_own_callers_answered(&mut team, &gates, first, second);
        assert_all_have(&mut team, surface, key, second);
        assert_eq!(team.heard().about(subject).len(), 2, "nobody else has computed");
    }
}

/// All ask for one missing key, and one of them computes it, and is held at that.
fn call_a_held_one(
    team: &mut Team<'_>,
    surface: Surface,
    key: u64,
    each: usize,
) -> (Vec<Gate>, Execution) {
    let callers = Callers { surface, keys: vec![key], each, work: Work::Held };
    let gates = team.call(team.processes(), &callers);
    let execution = team.next_execution(surface.subject(key), &[]);
    (gates, execution)
}

/// Has the second execution end, and all who wait in other processes than the first's have its answer.
fn assert_others_answered_by(
    team: &mut Team<'_>,
    gates: &[Gate],
    first: Execution,
    second: Execution,
) {
    team.release(second);
    for gate in gates.iter().filter(|gate| gate.process() != first.process) {
        let calls = team.answers(*gate);
        assert!(calls.iter().all(|call| call.answer.execution == second.id), "{calls:#?}");
    }
}

/// Has the first execution end, and the store refuse what comes of it.
fn finish_late(team: &mut Team<'_>, first: Execution, refused: u64) {
    team.release(first);
    team.count_until("a late save refused", first.process, |counted| counted.refused > refused);
}

/// Those who came while the first one computed have its answer, and only they.
fn assert_own_callers_answered(
    team: &mut Team<'_>,
    gates: &[Gate],
    first: Execution,
    second: Execution,
) {
    let own = gates.iter().find(|gate| gate.process() == first.process).expect("all have called");
    let calls = team.answers(*own);
    let of = |execution: Execution| {
        calls.iter().filter(|call| call.answer.execution == execution.id).count()
    };
    assert!(of(first) > 0, "the caller that computed has another answer: {calls:#?}");
    // Of several callers some may have come only after the process went on.
    assert_eq!(of(first) + of(second), calls.len(), "{calls:#?}");
}

/// The store, as every process reads it, and all near caches have the answer of this execution.
fn assert_all_have(team: &mut Team<'_>, surface: Surface, key: u64, execution: Execution) {
    let work = Work::Takes(Duration::ZERO);
    let callers = Callers { surface, keys: vec![key], each: 1, work };
    let is_its = |answer: Answer| answer.execution == execution.id;
    for process in team.processes() {
        let cached = team.peek(process, surface.subject(key));
        assert!(cached.is_some_and(is_its), "process {process} reads {cached:?}");
    }
    for turn in ["from the store", "from the near cache"] {
        for call in team.ask(team.processes(), &callers) {
            assert!(is_its(call.answer), "{turn}: {call:?} is not of {execution:?}");
        }
    }
}
