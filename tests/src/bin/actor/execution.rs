//! Runs of bodies: counted here, outside the cache, and held until the test releases them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyedcache_tests::processes::talk::{Answer, Report, Subject, Work};
use keyedcache_tests::processes::{SharedInstant, Tally};
use keyedcache_tests::watchdog::PATIENCE;
use tokio::sync::oneshot;

use crate::{RUNTIME, say};

static HELD: Mutex<Option<HashMap<u64, oneshot::Sender<()>>>> = Mutex::new(None);

/// A body that runs.
struct Execution {
    answer: Answer,
    work: Doing,
}

enum Doing {
    Takes(Duration),
    Held(oneshot::Receiver<()>),
}

/// The body of a sync function.
pub(crate) fn run(subject: Subject, work: Work) -> Answer {
    let Execution { answer, work } = Execution::begin(subject, work);
    match work {
        Doing::Takes(time) => std::thread::sleep(time),
        Doing::Held(released) => RUNTIME.block_on(hold(released)),
    }
    end(answer)
}

/// The body of an async one. Polled anywhere.
pub(crate) async fn run_async(subject: Subject, work: Work) -> Answer {
    let Execution { answer, work } = Execution::begin(subject, work);
    let working = RUNTIME.spawn(async {
        match work {
            Doing::Takes(time) => tokio::time::sleep(time).await,
            Doing::Held(released) => hold(released).await,
        }
    });
    working.await.expect("it does not panic");
    end(answer)
}

/// Lets a held body answer.
pub(crate) fn release(execution: u64) {
    let held = HELD.lock().expect("no panic").as_mut().and_then(|held| held.remove(&execution));
    // One whose caller is gone needs no release.
    let _ = held.map(|held| held.send(()));
}

impl Execution {
    fn begin(subject: Subject, work: Work) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(1);

        // First of all: from here on the answer may be too old.
        let truth = Tally::truth(subject).now();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let execution = u64::from(std::process::id()) << 32 | number;
        let work = match work {
            Work::Takes(time) => Doing::Takes(time),
            Work::Held => {
                let (release, released) = oneshot::channel();
                let mut held = HELD.lock().expect("no panic");
                held.get_or_insert_default().insert(execution, release);
                Doing::Held(released)
            }
        };
        say(&Report::Began { execution, subject, at: SharedInstant::now() });
        Self { answer: Answer { subject, truth, execution }, work }
    }
}

async fn hold(released: oneshot::Receiver<()>) {
    // Longer than the test waits: whoever waits for what is held shows by that.
    let _ = tokio::time::timeout(2 * PATIENCE, released).await;
}

fn end(answer: Answer) -> Answer {
    say(&Report::Ended { execution: answer.execution, at: SharedInstant::now() });
    answer
}
