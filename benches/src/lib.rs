//! A thin harness: contenders take turns in one run, and what is told of each is its median.
//!
//! What disturbs the machine disturbs all contenders of a round alike, so a ratio is the median of
//! the rounds' ratios, and is worth telling of a busy machine where nanoseconds are not.

mod server;

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

pub use server::RedisServer;

/// Contenders for one figure.
#[derive(Default)]
pub struct Contest<'a> {
    contenders: Vec<(&'a str, Turn<'a>)>,
}

/// One turn of a contender: its figure in this round.
type Turn<'a> = Box<dyn FnMut() -> f64 + 'a>;

impl<'a> Contest<'a> {
    /// A contest without contenders.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a contender.
    #[must_use]
    pub fn enter(mut self, name: &'a str, turn: impl FnMut() -> f64 + 'a) -> Self {
        self.contenders.push((name, Box::new(turn)));
        self
    }

    /// Has all take turns for so many rounds, after one that does not count.
    #[must_use]
    pub fn run(mut self, rounds: usize) -> Outcome {
        let names = self.contenders.iter().map(|(name, _)| (*name).to_owned());
        let mut figures: Vec<_> = names.map(|name| (name, Vec::with_capacity(rounds))).collect();
        for round in 0..=rounds {
            for ((_, turn), (_, figures)) in self.contenders.iter_mut().zip(&mut figures) {
                let figure = turn();
                if round > 0 {
                    figures.push(figure);
                }
            }
        }
        Outcome { figures }
    }
}

impl std::fmt::Debug for Contest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.contenders.iter().map(|(name, _)| name)).finish()
    }
}

/// What a contest gave: the figure of each contender in each round.
#[derive(Clone, Debug)]
pub struct Outcome {
    figures: Vec<(String, Vec<f64>)>,
}

impl Outcome {
    /// The median of a contender.
    ///
    /// # Panics
    ///
    /// If nobody of that name took part.
    #[must_use]
    pub fn median(&self, name: &str) -> f64 {
        median(self.of(name).to_vec())
    }

    /// How a contender compares with another: the median of the rounds' ratios.
    ///
    /// # Panics
    ///
    /// If one of them did not take part.
    #[must_use]
    pub fn ratio(&self, subject: &str, peer: &str) -> f64 {
        let pairs = self.of(subject).iter().zip(self.of(peer));
        median(pairs.map(|(subject, peer)| subject / peer).collect())
    }

    fn of(&self, name: &str) -> &[f64] {
        let (_, figures) = self
            .figures
            .iter()
            .find(|(known, _)| known == name)
            .expect("asked for by the bench that entered it");
        figures
    }
}

/// The middle one.
///
/// # Panics
///
/// If there are none.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Prints what each contender needed, a column a contest of the same contenders.
pub fn print_table(title: &str, columns: &[(&str, &Outcome)]) {
    println!("\n{title}");
    print!("  {:<44}", "");
    for (column, _) in columns {
        print!("{column:>14}");
    }
    println!();
    let names = columns.first().map_or(&[][..], |(_, outcome)| &outcome.figures);
    for (name, _) in names {
        print!("  {name:<44}");
        for (_, outcome) in columns {
            print!("{:>14.1}", outcome.median(name));
        }
        println!();
    }
}

/// Prints a figure, and whether it is within what is to be reached.
pub fn print_target(what: &str, figure: f64, at_most: f64) {
    let verdict = if figure <= at_most { "reached" } else { "MISSED" };
    println!("  {what:<58}{figure:>8.2}   at most {at_most:>5.2}   {verdict}");
}

/// Nanoseconds a call, of so many.
pub fn time(calls: usize, mut call: impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(&mut call);
    nanos_each(start, calls)
}

/// Nanoseconds a call while all threads call at once, each so often: the mean of the threads.
///
/// They begin when all of them are on a processor, so that few calls are enough: a turn that is
/// shorter than a slice of the scheduler is seldom disturbed, even on a busy machine.
///
/// # Panics
///
/// If a call does.
pub fn time_on_threads(threads: usize, calls: usize, call: impl Fn(usize) + Sync) -> f64 {
    let running = AtomicUsize::new(0);
    let one = &|thread: usize| {
        running.fetch_add(1, Ordering::AcqRel);
        while running.load(Ordering::Acquire) < threads {
            std::hint::spin_loop();
        }
        // Each begins elsewhere, so that they do not run in step.
        time(calls, |number| call(number + thread * calls / threads))
    };
    let figures: Vec<f64> = std::thread::scope(|scope| {
        let start = |thread| scope.spawn(move || one(thread));
        let started: Vec<_> = (0..threads).map(start).collect();
        started.into_iter().map(|thread| thread.join().expect("benches do not panic")).collect()
    });
    #[allow(clippy::cast_precision_loss)] // a few threads
    {
        figures.iter().sum::<f64>() / threads as f64
    }
}

fn nanos_each(start: Instant, calls: usize) -> f64 {
    #[allow(clippy::cast_precision_loss)] // some nanoseconds do not matter
    {
        start.elapsed().as_nanos() as f64 / calls as f64
    }
}

/// Numbers below `kinds`, as often as Zipf's law with exponent 1 has them, `count` of them.
///
/// The same at each run.
#[must_use]
pub fn zipf(kinds: usize, count: usize) -> Vec<usize> {
    #[allow(clippy::cast_precision_loss)] // some thousand kinds
    let sums: Vec<f64> = (1..=kinds)
        .scan(0.0, |sum, rank| {
            *sum += 1.0 / rank as f64;
            Some(*sum)
        })
        .collect();
    let whole = sums.last().copied().unwrap_or_default();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        #[allow(clippy::cast_precision_loss)] // 53 bits fit
        let part = (random >> 11) as f64 / (1_u64 << 53) as f64;
        sums.partition_point(|sum| *sum <= part * whole)
    };
    black_box((0..count).map(|_| draw()).collect())
}
