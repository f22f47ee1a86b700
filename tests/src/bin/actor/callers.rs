//! Callers that stand at a gate and call at one moment.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;

use keyedcache_tests::processes::SharedInstant;
use keyedcache_tests::processes::talk::{Call, Callers, Report};
use tokio::sync::watch;

use crate::answers::{ask, ask_async};
use crate::{RUNTIME, say};

type Opening = Option<SharedInstant>;

static GATES: Mutex<Option<HashMap<u64, watch::Sender<Opening>>>> = Mutex::new(None);

/// Has callers stand at a gate.
pub(crate) fn gather(number: u64, callers: Callers) {
    let (open, gate) = watch::channel(None);
    GATES.lock().expect("no panic").get_or_insert_default().insert(number, open);
    thread::spawn(move || {
        let calls = if callers.surface.is_async() {
            in_tasks(number, &callers, &gate)
        } else {
            on_threads(number, &callers, &gate)
        };
        say(&Report::Called { gate: number, calls });
    });
}

/// Lets them go.
pub(crate) fn open(number: u64, at: SharedInstant) {
    let gates = GATES.lock().expect("no panic").as_mut().and_then(|gates| gates.remove(&number));
    gates.expect("the gate was made").send_replace(Some(at));
}

async fn pass(mut gate: watch::Receiver<Opening>) {
    let at = gate
        .wait_for(Option::is_some)
        .await
        .expect("it opens before it is dropped")
        .expect("what was waited for");
    tokio::time::sleep(at.since(SharedInstant::now())).await;
}

/// The key of each caller.
fn keys(callers: &Callers) -> impl Iterator<Item = u64> {
    (0..callers.each).flat_map(|_| callers.keys.iter().copied())
}

fn on_threads(number: u64, callers: &Callers, gate: &watch::Receiver<Opening>) -> Vec<Call> {
    let (surface, work) = (callers.surface, callers.work);
    thread::scope(|scope| {
        let start = |key| {
            scope.spawn(move || {
                RUNTIME.block_on(pass(gate.clone()));
                let began = SharedInstant::now();
                let answer = ask(surface, key, work);
                Call { answer, began, ended: SharedInstant::now() }
            })
        };
        let threads: Vec<_> = keys(callers).map(start).collect();
        say(&Report::Ready { gate: number });
        threads.into_iter().map(|caller| caller.join().expect("no panic")).collect()
    })
}

fn in_tasks(number: u64, callers: &Callers, gate: &watch::Receiver<Opening>) -> Vec<Call> {
    let (surface, work) = (callers.surface, callers.work);
    let start = |key| {
        let gate = gate.clone();
        RUNTIME.spawn(async move {
            pass(gate).await;
            let began = SharedInstant::now();
            let answer = ask_async(surface, key, work).await;
            Call { answer, began, ended: SharedInstant::now() }
        })
    };
    let tasks: Vec<_> = keys(callers).map(start).collect();
    say(&Report::Ready { gate: number });
    RUNTIME.block_on(async {
        let mut calls = Vec::with_capacity(tasks.len());
        for task in tasks {
            calls.push(task.await.expect("no panic"));
        }
        calls
    })
}
