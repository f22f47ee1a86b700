//! The functions and values under test, each asked for in one way of using the cache.

use std::thread;
use std::time::Duration;

use keyedcache::{
    cache_clear, cache_delete, cache_delete_function, cache_get, cache_get_or_set, cache_key,
    cached,
};
use keyedcache_tests::processes::talk::{Answer, Family, Report, Scope, Subject, Surface, Work};
use keyedcache_tests::processes::{SharedInstant, Tally};

use crate::execution::{run, run_async};

/// Longer than any test.
const TIMEOUT: Duration = Duration::from_mins(10);

#[cached(timeout = TIMEOUT, skip(work))]
fn sync_answer(key: u64, work: Work) -> Answer {
    run(Subject { family: Family::Sync, key }, work)
}

#[cached(timeout = TIMEOUT, skip(work))]
async fn async_answer(key: u64, work: Work) -> Answer {
    run_async(Subject { family: Family::Async, key }, work).await
}

/// Asks on this thread.
pub(crate) fn ask(surface: Surface, key: u64, work: Work) -> Answer {
    match surface {
        Surface::Sync => sync_answer(key, work),
        Surface::ValueWaited => cache_get_or_set(cache_key!("page", key, "part"))
            .timeout(TIMEOUT)
            .compute(async || run_async(surface.subject(key), work).await)
            .wait(),
        Surface::Async | Surface::ValueAwaited => unreachable!("{surface:?} is for tasks"),
    }
}

/// Asks in this task.
pub(crate) async fn ask_async(surface: Surface, key: u64, work: Work) -> Answer {
    match surface {
        Surface::Async => async_answer(key, work).await,
        Surface::ValueAwaited => {
            cache_get_or_set(cache_key!("page", key, "part"))
                .timeout(TIMEOUT)
                .compute(async move || run_async(surface.subject(key), work).await)
                .await
        }
        Surface::Sync | Surface::ValueWaited => unreachable!("{surface:?} is for threads"),
    }
}

/// What is cached, without computing.
pub(crate) fn peek(Subject { family, key }: Subject) -> Option<Answer> {
    match family {
        Family::Sync => sync_answer::peek(key).wait().ok(),
        Family::Async => async_answer::peek(key).wait().ok(),
        Family::Values => cache_get(cache_key!("page", key, "part")).wait().ok(),
    }
}

/// Changes the truth about a scope, and then has the cache forget what it knows of it.
pub(crate) fn change_and_invalidate(scope: Scope, push_delay: Duration) -> Report {
    subjects(scope).for_each(|subject| Tally::truth(subject).grow());
    let sent = SharedInstant::now();
    if let Err(error) = invalidate(scope) {
        return Report::Failed(format!("cannot invalidate {scope:?}: {error}"));
    }
    let acknowledged = SharedInstant::now();
    let grow = move || subjects(scope).for_each(|subject| Tally::acknowledged(subject).grow());
    if push_delay.is_zero() {
        grow();
    } else {
        // It counts invalidations, so it is never ahead, whichever of several is first here.
        thread::spawn(move || {
            thread::sleep(push_delay);
            grow();
        });
    }
    Report::Invalidated { sent, acknowledged }
}

/// All that belongs to a scope.
fn subjects(scope: Scope) -> impl Iterator<Item = Subject> {
    let families = [Family::Sync, Family::Async, Family::Values];
    let all = families.into_iter().flat_map(|family| (0..KEYS).map(move |key| (family, key)));
    all.map(|(family, key)| Subject { family, key }).filter(move |subject| scope.covers(*subject))
}

/// The truth is told about keys below this.
const KEYS: u64 = 16;

fn invalidate(scope: Scope) -> Result<(), keyedcache::Error> {
    match scope {
        Scope::Key(Subject { family: Family::Sync, key }) => sync_answer::invalidate(key).wait(),
        Scope::Key(Subject { family: Family::Async, key }) => async_answer::invalidate(key).wait(),
        Scope::Key(Subject { family: Family::Values, key }) => {
            cache_delete(cache_key!("page", key, "part")).wait().map(drop)
        }
        Scope::SyncFunction => cache_delete_function!(sync_answer).wait(),
        Scope::AsyncFunction => cache_delete_function!(async_answer).wait(),
        Scope::Prefix(key) => cache_delete(cache_key!("page", key)).children().wait().map(drop),
        Scope::Cache => cache_clear().wait().map(drop),
    }
}
