//! A process that uses one cache as it is told to, word by word, until the test wants no more. `KEYEDCACHE_URL` says which cache; see `keyedcache_tests::processes`.

mod answers;
mod callers;
mod execution;
mod soak;

use std::sync::LazyLock;

use keyedcache::{cache_key, cache_set, cache_stats};
use keyedcache_tests::child;
use keyedcache_tests::processes::talk::{Counted, Report, Request};
use tokio::runtime::{Builder, Runtime};

/// Where the tasks of this process run. What they read they may read over connections of its own.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("the machine can start threads")
});

fn main() {
    child::die_with_the_test();
    let mut soaking = None;
    while let Some(word) = child::hear() {
        let request = serde_json::from_str(&word).expect("the test sends requests");
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

fn say(report: &Report) {
    child::say(&serde_json::to_string(report).expect("reports are plain data"));
}
