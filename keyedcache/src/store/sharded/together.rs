//! Several shards asked at once, and what they answer as a whole.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use super::place::Shard;
use crate::error::Error;
use crate::store::Pending;

/// One shard at work.
enum Asked<'a, T> {
    Working(Pending<'a, T>),
    Done(Result<T, Error>),
}

impl<T> Asked<'_, T> {
    fn answer(self) -> Result<T, Error> {
        match self {
            Self::Done(answer) => answer,
            Self::Working(_) => unreachable!("it is polled until it is done"),
        }
    }

    fn is_done(&mut self, context: &mut Context<'_>) -> bool {
        if let Self::Working(work) = self {
            match work.as_mut().poll(context) {
                Poll::Ready(answer) => *self = Self::Done(answer),
                Poll::Pending => return false,
            }
        }
        true
    }
}

/// What all of them answer, in the order asked; the work of each is done to its end, whatever becomes
/// of the others.
///
/// # Errors
///
/// That of the first that failed, naming all that did and how many did not.
pub(super) async fn together<'a, T>(
    work: impl IntoIterator<Item = (&'a Shard, Pending<'a, T>)>,
) -> Result<Vec<T>, Error> {
    let (shards, mut asked): (Vec<_>, Vec<_>) =
        work.into_iter().map(|(shard, work)| (shard, Asked::Working(work))).unzip();
    poll_fn(|context| {
        let mut all_done = true;
        for one in &mut asked {
            all_done &= one.is_done(context);
        }
        if all_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let mut answers = Vec::with_capacity(asked.len());
    let mut failed = Failures { first: None, names: Vec::new() };
    for (shard, asked) in shards.into_iter().zip(asked) {
        match asked.answer() {
            Ok(answer) => answers.push(answer),
            Err(error) => failed.add(shard, error),
        }
    }
    failed.unless_none(answers)
}

/// What `work` answers, once `other` is done too.
pub(super) async fn beside<T>(
    work: Pending<'_, T>,
    other: impl Future<Output = ()>,
) -> Result<T, Error> {
    let (mut work, mut other) = (Asked::Working(work), pin!(other));
    let mut is_other_done = false;
    poll_fn(|context| {
        is_other_done = is_other_done || other.as_mut().poll(context).is_ready();
        if work.is_done(context) && is_other_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    work.answer()
}

struct Failures<'a> {
    first: Option<Error>,
    names: Vec<&'a str>,
}

impl<'a> Failures<'a> {
    fn add(&mut self, shard: &'a Shard, error: Error) {
        self.first.get_or_insert(error);
        self.names.push(&shard.name);
    }

    fn unless_none<T>(self, answers: Vec<T>) -> Result<Vec<T>, Error> {
        let Some(error) = self.first else {
            return Ok(answers);
        };
        let error = error.with("shard", Listed(&self.names));
        let asked = answers.len() + self.names.len();
        if asked == 1 {
            return Err(error);
        }
        Err(error.with("done by", format_args!("{} of {asked} shards asked", answers.len())))
    }
}

struct Listed<'a>(&'a [&'a str]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" and "))
    }
}
