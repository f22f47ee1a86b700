//! The main job, on the embedded disk store: four processes of eight threads share one slow answer.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! This process only directs and counts: it starts four others of the same program (`child.rs`,
//! where the cached function is), tells them what to do and hears from them, over pipes, what
//! happened. Executions are counted here, outside the cache, so the cache cannot flatter itself.
//! The exit status is 1 if a promise was broken.

mod child;
mod round;
mod show;
mod talk;
mod team;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use round::Round;
use show::{Screen, Tone, human};
use talk::{Report, Request};
use team::{Heard, Team};

/// How long the function takes.
const SLOW: Duration = Duration::from_secs(1);
const PROCESSES: usize = 4;
const THREADS: usize = 8;

/// How soon another process takes over when the one that computes is killed: 100 ms is the promise,
/// the rest is for a busy machine to start a thread in.
const TAKEOVER: Duration = Duration::from_millis(100 + 400);

/// How long to wait for what should have happened long ago.
const PATIENCE: Duration = Duration::from_secs(8);

/// The promise that an act has kept, or how it was broken.
type Outcome = Result<String, String>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(team::CHILD) {
        return child::run();
    }
    let mut tally = Tally::default();
    let screen = Screen::new();
    let kept = direct(screen, &mut tally).unwrap_or_else(|error| {
        screen.broken(&format!("the processes could not be directed: {error}"));
        false
    });
    println!();
    println!("{tally}");
    ExitCode::from(u8::from(!kept))
}

/// Runs the four acts until one breaks its promise; says whether none did.
fn direct(screen: Screen, tally: &mut Tally) -> io::Result<bool> {
    let folder = tempfile::tempdir()?;
    let mut team = Team::start(PROCESSES, folder.path())?;
    screen
        .heading(&format!("{PROCESSES} processes of {THREADS} threads, one folder as their store"));
    for act in [once, from_the_cache, forgotten, taken_over] {
        match act(screen, &mut team, tally)? {
            Ok(promise) => screen.kept(&promise),
            Err(broken) => {
                screen.broken(&broken);
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Every thread of every process asks at the same moment: one computes, the others wait for it.
fn once(screen: Screen, team: &mut Team, tally: &mut Tally) -> io::Result<Outcome> {
    screen.act(1, "All ask for nearest_restaurant(2, 6) at once; it takes a second");
    let round = Round::of_all(screen, team)?;
    for process in team.numbers() {
        let computed = round.computed_by(process);
        let waited = round.slowest(process, |thread| !computed.contains(&thread));
        let count = round.answers_of(process) - computed.len();
        let waiting = format!("{count} threads waited, up to {}", human(waited));
        match computed.first() {
            Some(thread) => {
                let took = human(round.slowest(process, |one| one == *thread));
                let details = format!("thread {thread} in {took}; {waiting}");
                screen.row(process, Tone::Work, "computed", &details);
            }
            None => screen.row(process, Tone::Wait, "waited", &waiting),
        }
    }
    *tally = Tally {
        executions: round.executions.len(),
        callers: round.answers.len(),
        processes: round.answers.iter().map(|answer| answer.process).collect::<BTreeSet<_>>().len(),
    };
    Ok(round.all_answered().and_then(|()| match round.executions.len() {
        1 => Ok("the function ran once".to_owned()),
        runs => Err(format!("the function ran {runs} times")),
    }))
}

/// They ask again: nobody computes.
fn from_the_cache(screen: Screen, team: &mut Team, _: &mut Tally) -> io::Result<Outcome> {
    screen.act(2, "All ask again");
    let round = Round::of_all(screen, team)?;
    for process in team.numbers() {
        let slowest = human(round.slowest(process, |_| true));
        let details = format!("{} answers, the slowest in {slowest}", round.answers_of(process));
        screen.row(process, Tone::Good, "cached", &details);
    }
    Ok(round.all_answered().and_then(|()| match round.executions.len() {
        0 => Ok("the function did not run".to_owned()),
        runs => Err(format!("the function ran {runs} times more")),
    }))
}

/// One process forgets the function's answers: no other sees them any more.
fn forgotten(screen: Screen, team: &mut Team, _: &mut Tally) -> io::Result<Outcome> {
    let (first, others) = (1, 2..=PROCESSES);
    screen.act(3, "Process 1 runs cache_delete_function!(nearest_restaurant)");
    team.tell(first, &Request::Forget)?;
    if !team.hear(&mut screen.bar(), PATIENCE, |heard| matches!(heard.report, Report::Forgotten)) {
        return Ok(Err("the deletion was not acknowledged".to_owned()));
    }
    screen.row(first, Tone::Good, "forgot", "acknowledged by the store");
    for process in others.clone() {
        team.tell(process, &Request::Peek)?;
    }
    let (mut seen, mut missing) = (Vec::new(), 0);
    team.hear(&mut screen.bar(), PATIENCE, |heard| {
        match heard.report {
            Report::Cached { answer } => seen.push((heard.process, Tone::Bad, "cached", answer)),
            Report::Missing { reason } => {
                missing += 1;
                seen.push((heard.process, Tone::Good, "not cached", reason));
            }
            _ => {}
        }
        seen.len() == others.clone().count()
    });
    seen.sort_by_key(|(process, ..)| *process);
    for (process, tone, what, details) in &seen {
        screen.row(*process, *tone, what, details);
    }
    Ok(if missing == others.count() {
        Ok("nobody sees the old answer".to_owned())
    } else {
        Err("a process still sees the old answer, or did not say".to_owned())
    })
}

/// The process that computes is killed half-way: one that waits for it takes over.
fn taken_over(screen: Screen, team: &mut Team, _: &mut Tally) -> io::Result<Outcome> {
    let (first, second) = (1, 2);
    screen.act(4, "Process 1 computes, process 2 waits for it, and process 1 is killed (SIGKILL)");
    let mut bar = screen.bar();
    let computing = |process| {
        move |heard: Heard| {
            heard.process == process && matches!(heard.report, Report::Computing { .. })
        }
    };

    team.tell(first, &Request::Ask { threads: 1 })?;
    if !team.hear(&mut bar, PATIENCE, computing(first)) {
        return Ok(Err("process 1 did not begin".to_owned()));
    }
    team.tell(second, &Request::Ask { threads: 1 })?;
    let mut early = false;
    team.hear(&mut bar, SLOW / 2, |heard| {
        early |= computing(second)(heard);
        early
    });
    if early {
        return Ok(Err("process 2 did not wait for process 1".to_owned()));
    }
    team.kill(first)?;
    let killed = Instant::now();
    bar.clear();
    screen.row(first, Tone::Bad, "killed", &format!("after {} of work", human(SLOW / 2)));

    if !team.hear(&mut bar, PATIENCE, computing(second)) {
        return Ok(Err("nobody took over".to_owned()));
    }
    let takeover = killed.elapsed();
    let mut answer = None;
    team.hear(&mut bar, PATIENCE, |heard| {
        if let Report::Answered { took, .. } = heard.report {
            answer = Some(took);
        }
        answer.is_some()
    });
    bar.clear();
    let Some(took) = answer else {
        return Ok(Err("process 2 took over and did not answer".to_owned()));
    };
    let details = format!("took over {} later; its call took {}", human(takeover), human(took));
    screen.row(second, Tone::Work, "computed", &details);
    Ok(if takeover <= TAKEOVER {
        Ok("another took over".to_owned())
    } else {
        Err(format!("taking over took {}", human(takeover)))
    })
}

/// What the first act came to, as it was counted.
#[derive(Default)]
struct Tally {
    executions: usize,
    callers: usize,
    processes: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { executions, callers, processes } = self;
        write!(f, "executions: {executions} · callers: {callers} · processes: {processes}")
    }
}
