//! How long after its being saved, on disk and in Redis, a waiter in another process has a value.
//!
//! This process computes; four children of it call the same function meanwhile, with nothing to do
//! but wait for the lease to end. Moments are of the system's clock, which they share. A value is
//! there for others at some moment before the caller that computed it returns, so the time from that
//! return is told beside the time from the end of the body, which the save comes after.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyedcache::Cache;
use keyedcache_benches::{RedisServer, median, print_target};

const WAITERS: usize = 4;
const ROUNDS: u32 = 50;
/// Long enough for the children to wait, too short for the lease to be renewed.
const BODY: Duration = Duration::from_millis(60);

/// Tells a child that it is one, and where its cache is.
const URL: &str = "KEYEDCACHE_BENCH_WAITER";

type Failure = Box<dyn std::error::Error>;

/// When the body ended that ran last in this process.
static ENDED: AtomicU64 = AtomicU64::new(0);

#[keyedcache::cached(timeout = 600, name = "slow")]
fn slow(round: u32) -> Vec<u8> {
    std::thread::sleep(BODY);
    let value = vec![7; 1_024];
    ENDED.store(now(), Ordering::Relaxed);
    debug_assert!(round < ROUNDS);
    value
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn main() -> Result<(), Failure> {
    if std::env::var_os(URL).is_some() {
        return wait_for_rounds();
    }
    let folder = tempfile::tempdir()?;
    let server = RedisServer::start()?;
    let on_disk = format!("disk:{}", folder.path().join("store").display());
    println!("\nwaiters in {WAITERS} other processes, {ROUNDS} rounds, ms (medians)\n");
    measure("disk", &on_disk, 5.0)?;
    measure("Redis", &server.url(), 2.0)
}

fn measure(store: &str, url: &str, at_most: f64) -> Result<(), Failure> {
    let mut waiters = (0..WAITERS).map(|_| Waiter::start(url)).collect::<Result<Vec<_>, _>>()?;
    Cache::from_url(url)?.register("default")?;
    let (mut after_return, mut after_body, mut ran_elsewhere) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let computing = std::thread::spawn(move || {
            slow(round);
            now()
        });
        std::thread::sleep(BODY / 4);
        waiters.iter_mut().try_for_each(|waiter| waiter.ask(round))?;
        let returned = computing.join().map_err(|_| "the computing thread panicked")?;
        let ended = ENDED.load(Ordering::Relaxed);
        for waiter in &mut waiters {
            let (had, ran) = waiter.answer()?;
            ran_elsewhere += u32::from(ran);
            after_return.push(milliseconds(had, returned));
            after_body.push(milliseconds(had, ended));
        }
    }
    let what = |moment: &str| format!("{store}: has the value, after {moment}");
    print_target(&what("its saving call returned"), median(after_return), at_most);
    print_target(&what("the body's end"), median(after_body), at_most);
    println!("  {store}: bodies run by waiters: {ran_elsewhere}");
    Ok(())
}

fn milliseconds(later: u64, earlier: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)] // some milliseconds
    {
        (later as f64 - earlier as f64) / 1_000.0
    }
}

/// A child: calls with each number that it is told, and tells when it had the answer.
fn wait_for_rounds() -> Result<(), Failure> {
    Cache::from_url(&std::env::var(URL)?)?.register("default")?;
    for line in std::io::stdin().lines() {
        let before = ENDED.load(Ordering::Relaxed);
        slow(line?.parse()?);
        let had = now();
        let ran = ENDED.load(Ordering::Relaxed) != before;
        println!("{had} {}", u8::from(ran));
        std::io::stdout().flush()?;
    }
    Ok(())
}

struct Waiter {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Waiter {
    fn start(url: &str) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(URL, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let answers = BufReader::new(child.stdout.take().ok_or("the child has no output")?);
        Ok(Self { child, answers })
    }

    fn ask(&mut self, round: u32) -> Result<(), Failure> {
        let stdin = self.child.stdin.as_mut().ok_or("the child has no input")?;
        Ok(writeln!(stdin, "{round}")?)
    }

    /// When it had the answer, and whether it ran the body for it.
    fn answer(&mut self) -> Result<(u64, bool), Failure> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let (had, ran) = line.trim().split_once(' ').ok_or("the child ended early")?;
        Ok((had.parse()?, ran == "1"))
    }
}

impl Drop for Waiter {
    /// Without input it ends.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait(); // there is nothing to be done about it
    }
}
