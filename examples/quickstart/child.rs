//! What each of the four processes does: call one cached function, as it is told to.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use keyedcache::{cache_delete_function, cached};

use crate::SLOW;
use crate::talk::{Report, Request};

/// Finds a restaurant, slowly. Nothing here says where answers are kept: the environment does, with
/// `KEYEDCACHE_URL`.
#[cached(timeout = 60)]
fn nearest_restaurant(x: i32, y: i32) -> String {
    let thread = thread::current().name().and_then(|name| name.parse().ok()).unwrap_or_default();
    say(&Report::Computing { thread }); // this is how runs are counted
    thread::sleep(SLOW);
    format!("The Golden Carp, a short walk from ({x}, {y})")
}

/// Does what is asked on the standard input until that ends.
pub(crate) fn run() -> ExitCode {
    match obey() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("process {}: {error}", std::process::id());
            ExitCode::FAILURE
        }
    }
}

fn obey() -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lines() {
        match line?.parse()? {
            Request::Ask { threads } => ask(threads),
            Request::Peek => say(&match nearest_restaurant::peek(2, 6).wait() {
                Ok(answer) => Report::Cached { answer },
                Err(missing) => Report::Missing { reason: missing.reason.to_string() },
            }),
            Request::Forget => {
                cache_delete_function!(nearest_restaurant).wait()?;
                say(&Report::Forgotten);
            }
        }
    }
    Ok(())
}

/// Calls the function on so many threads at the same moment.
fn ask(threads: usize) {
    let start = Barrier::new(threads);
    let call = |thread| {
        start.wait();
        let asked = Instant::now();
        let answer = nearest_restaurant(2, 6);
        say(&Report::Answered { thread, took: asked.elapsed(), answer });
    };
    thread::scope(|scope| {
        for number in 1..=threads {
            thread::Builder::new()
                .name(number.to_string())
                .spawn_scoped(scope, move || call(number))
                .expect("the machine can start another thread");
        }
    });
}

fn say(report: &Report) {
    let mut out = io::stdout().lock();
    // Only fails when nobody listens any more, and then there is nobody to tell.
    let _ = writeln!(out, "{report}").and_then(|()| out.flush());
}
