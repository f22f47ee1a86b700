//! Once: however many threads, tasks and processes ask for the same missing value at once, the
//! function runs once.

use std::collections::HashSet;
use std::time::Duration;

use keyedcache_tests::processes::talk::{Call, Callers, Surface, Work};
use keyedcache_tests::processes::{Execution, Ground, SharedInstant, Team};

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const PROCESSES: usize = 4;
const ROUNDS: u64 = 50;
/// Each costs hundreds of requests, signed and parsed by unoptimized code.
const ROUNDS_ON_S3: u64 = 15;

/// The tests, on one ground after another.
macro_rules! on {
    ($name:ident: $ground:expr) => {
        mod $name {
            use keyedcache_tests::processes::Ground;
            use keyedcache_tests::processes::talk::Surface;

            #[test]
            fn threads_of_four_processes_share_one_execution() {
                super::one_key(&$ground, Surface::Sync, 8);
            }

            #[test]
            fn tasks_of_four_processes_share_one_execution() {
                super::one_key(&$ground, Surface::Async, 200);
            }

            #[test]
            fn threads_that_ask_for_a_value_share_one_execution() {
                super::one_key(&$ground, Surface::ValueWaited, 8);
            }

            #[test]
            fn tasks_that_ask_for_a_value_share_one_execution() {
                super::one_key(&$ground, Surface::ValueAwaited, 200);
            }

            #[test]
            fn threads_that_ask_for_a_hundred_keys_run_them_side_by_side() {
                super::hundred_keys(&$ground, Surface::Sync, 2);
            }

            #[test]
            fn tasks_that_ask_for_a_hundred_keys_run_them_side_by_side() {
                super::hundred_keys(&$ground, Surface::Async, 4);
            }
        }
    };
}

on!(disk: Ground::disk());
on!(redis: Ground::redis());

/// To start a cluster takes seconds, so here are fewer.
mod cluster {
    use keyedcache_tests::processes::Ground;
    use keyedcache_tests::processes::talk::Surface;

    #[test]
    fn callers_of_four_processes_share_one_execution() {
        let ground = Ground::cluster();
        super::one_key(&ground, Surface::Sync, 8);
        super::one_key(&ground, Surface::ValueAwaited, 200);
    }

    #[test]
    fn tasks_that_ask_for_a_hundred_keys_run_them_side_by_side() {
        super::hundred_keys(&Ground::cluster(), Surface::Async, 4);
    }
}

#[test]
fn threads_of_four_processes_share_one_execution_on_s3() {
    one_key_for(&Ground::s3(), Surface::Sync, 8, ROUNDS_ON_S3);
}

#[test]
fn tasks_of_four_processes_share_one_execution_on_s3() {
    one_key_for(&Ground::s3(), Surface::Async, 50, ROUNDS_ON_S3);
}

#[test]
fn tasks_that_ask_for_a_value_share_one_execution_on_s3() {
    one_key_for(&Ground::s3(), Surface::ValueAwaited, 50, ROUNDS_ON_S3);
}

#[test]
fn tasks_that_ask_for_a_hundred_keys_run_them_side_by_side_on_s3() {
    hundred_keys_for(&Ground::s3(), Surface::Async, 1, 2, Duration::from_millis(200));
}

/// All callers of all processes ask for one missing key at the same moment, again and again.
fn one_key(ground: &Ground, surface: Surface, each: usize) {
    one_key_for(ground, surface, each, ROUNDS);
}

fn one_key_for(ground: &Ground, surface: Surface, each: usize, rounds: u64) {
    let mut team = Team::start(ACTOR, ground, PROCESSES);
    let (mut asked, mut in_time) = (0, 0);
    for key in 0..rounds {
        let work = Work::Takes(Duration::from_millis(40));
        let calls = team.ask(team.processes(), &Callers { surface, keys: vec![key], each, work });
        assert_eq!(calls.len(), PROCESSES * each);
        let execution = one(&team.heard().about(surface.subject(key)), key);
        assert_answered_by(&calls, execution);
        asked += calls.len();
        in_time += calls.iter().filter(|call| Some(call.began) < execution.ended).count();
    }
    let waited: u64 = team.processes().map(|process| team.counted(process).waited).sum();
    println!(
        "{in_time} of {asked} callers asked before there was an answer; the processes waited \
         {waited} times"
    );
    assert!(in_time * 2 > asked, "the callers came too late to show anything");
    assert!(waited * 3 < asked as u64, "not one of a process waits for all its callers");
}

/// All callers of all processes ask for a hundred missing keys at the same moment.
fn hundred_keys(ground: &Ground, surface: Surface, each: usize) {
    hundred_keys_for(ground, surface, each, 3, Duration::from_millis(50));
}

fn hundred_keys_for(ground: &Ground, surface: Surface, each: usize, rounds: u64, takes: Duration) {
    const KEYS: u64 = 100;

    let mut team = Team::start(ACTOR, ground, PROCESSES);
    for round in 0..rounds {
        let keys: Vec<_> = (round * KEYS..(round + 1) * KEYS).collect();
        let callers = Callers { surface, keys: keys.clone(), each, work: Work::Takes(takes) };
        let calls = team.ask(team.processes(), &callers);
        assert_eq!(calls.len(), PROCESSES * each * keys.len());
        let mut executions = Vec::new();
        for key in keys {
            let execution = one(&team.heard().about(surface.subject(key)), key);
            let answers: Vec<_> = calls
                .iter()
                .copied()
                .filter(|call| call.answer.subject == surface.subject(key))
                .collect();
            assert_eq!(answers.len(), PROCESSES * each);
            assert_answered_by(&answers, execution);
            executions.push(execution);
        }
        let (at_once, took) = (most_at_once(&executions), from_first_to_last(&executions));
        let processes: HashSet<_> = executions.iter().map(|execution| execution.process).collect();
        println!("{at_once} at once, by {} processes, all within {took:?}", processes.len());
        assert!(at_once >= 10, "different keys wait for each other: {at_once} ran at once");
        assert!(took < takes * 100 / 4, "different keys wait for each other: {took:?} in all");
    }
}

fn one(executions: &[Execution], key: u64) -> Execution {
    let [execution] = executions else {
        panic!("{} executions for key {key}: {executions:#?}", executions.len());
    };
    *execution
}

fn assert_answered_by(calls: &[Call], execution: Execution) {
    let strange = calls.iter().find(|call| call.answer.execution != execution.id);
    assert!(strange.is_none(), "not the answer of {execution:?}: {strange:?}");
}

/// How many ran at one moment, at most.
fn most_at_once(executions: &[Execution]) -> usize {
    let running_at = |at: SharedInstant| {
        executions.iter().filter(|other| other.began <= at && Some(at) < other.ended).count()
    };
    executions.iter().map(|execution| running_at(execution.began)).max().unwrap_or_default()
}

fn from_first_to_last(executions: &[Execution]) -> Duration {
    let first = executions.iter().map(|execution| execution.began).min();
    let last = executions.iter().filter_map(|execution| execution.ended).max();
    last.zip(first).map(|(last, first)| last.since(first)).expect("there are executions")
}
