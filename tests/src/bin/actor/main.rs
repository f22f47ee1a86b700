//! A process that uses one cache as it is told to, line by line on its standard input, until that
//! ends. `KEYEDCACHE_URL` says which cache; see `keyedcache_tests::processes`.

mod answers;
mod callers;
mod execution;
mod soak;

use std::io::{self, Write};
use std::sync::LazyLock;

use keyedcache::{cache_key, cache_set, cache_stats};
use keyedcache_tests::processes::talk::{Counted, Report, Request};
use tokio::runtime::{Builder, Runtime};

/// Where the tasks of this process run.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_time().build().expect("the machine can start threads")
});

fn main() {
    die_with_the_test();
    let mut soaking = None;
    for line in io::stdin().lines().map_while(Result::ok) {
        let request = serde_json::from_str(&line).expect("the test sends requests");
        match request {
            Request::Call { gate, callers } => callers::gather(gate, callers),
            Request::Open { gate, at } => callers::open(gate, at),
            Request::Release { execution } => execution::release(execution),
            Request::Peek(subject) => say(&Report::Peeked(answers::peek(subject))),
            Request::Invalidate { scope, push_delay } => {
                say(&answers::change_and_invalidate(scope, push_delay));
            }
            Request::Write => {
                say(&Report::Wrote(cache_set(cache_key!("written"), &1_u8).wait().is_ok()));
            }
            Request::Count => {
                let stats = cache_stats();
                say(&Report::Counted(Counted {
                    refused: stats.refused,
                    waited: stats.waited,
                    near_hits: stats.near_hits,
                    store_errors: stats.store_errors,
                }));
            }
            Request::Soak(soak) => soaking = Some(soak::start(soak)),
            Request::Halt => {
                let soaking = soaking.take().expect("it soaks");
                say(&Report::Soaked(soaking.halt()));
            }
        }
    }
    // Whatever still runs here runs for nobody.
    std::process::exit(0);
}

/// The end of the input says that the test is gone, but not to a stopped process.
fn die_with_the_test() {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .expect("Linux has it since 2.1");
}

fn say(report: &Report) {
    let line = serde_json::to_string(report).expect("reports are plain data");
    let mut out = io::stdout().lock();
    // Only fails when nobody listens any more, and then there is nobody to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
