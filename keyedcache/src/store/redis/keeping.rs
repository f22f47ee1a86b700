//! Generations live at least as long as what is stamped with them.
//!
//! They are made for a day, and extended when a record is saved that would outlive them, to twice its
//! life: an extension is a write, and so is pushed to everyone who has read them, whose near caches
//! then lose what is of that scope. One that ends early makes records missing, never stale.

use std::time::{Duration, Instant};

use redis::Value;

use super::script::{CREATE, Call, EXTEND};
use super::{RedisStore, fault, names};
use crate::error::Error;
use crate::record::{Generation, GenerationToken, Scope};
use crate::store::Ttl;

/// What a generation lives at least.
const LIFE: Duration = Duration::from_hours(24);

/// The bytes of a generation: its hard token, then its soft one.
pub(super) fn generation(text: &[u8]) -> Option<Generation> {
    let (hard, soft) = text.split_at_checked(16)?;
    let (hard, soft) = (hard.try_into().ok()?, soft.try_into().ok()?);
    Some(Generation { hard: GenerationToken(hard), soft: GenerationToken(soft) })
}

/// A time to live in milliseconds, as scripts take it: `0` is for ever, and what ends at once ends
/// after one.
pub(super) fn millis(ttl: Ttl) -> String {
    /// What the server can add to its time.
    const MOST: u128 = 1 << 60;
    match ttl {
        Some(ttl) => ttl.as_micros().div_ceil(1000).clamp(1, MOST).to_string(),
        None => "0".to_owned(),
    }
}

impl RedisStore {
    /// The generation of each scope, made where there is none.
    pub(super) async fn create(&self, scopes: &[Scope]) -> Result<Vec<Generation>, Error> {
        const OPERATION: &str = "read generations";
        let call = |scope: &Scope| {
            let new = Generation::random();
            Call::new(OPERATION, &CREATE, [names::generation(scope)])
                .arg([new.hard.0, new.soft.0].concat())
                .arg(millis(Some(LIFE)))
                .repeatable()
        };
        let asked = Instant::now();
        let replies = self.link.call(scopes.iter().map(call).collect()).await;
        let read = |(scope, reply): (&Scope, Result<Value, Error>)| {
            let garbled = || fault::garbled(OPERATION, &self.name);
            let Value::Array(parts) = reply? else { return Err(garbled()) };
            let [Value::BulkString(text), Value::Int(left)] = parts.as_slice() else {
                return Err(garbled());
            };
            self.pushed.lives.learn(scope.id(), asked, *left);
            generation(text).ok_or_else(garbled)
        };
        let created: Vec<_> = scopes.iter().zip(replies).map(read).collect::<Result<_, _>>()?;
        let eras = self.eras(scopes);
        if eras.names.is_empty() {
            return Ok(created);
        }
        let found = self.link.read(eras.names.clone()).await?;
        let counted = created.into_iter().enumerate();
        counted
            .map(|(at, generation)| eras.count(at, generation, &found))
            .collect::<Option<_>>()
            .ok_or_else(|| {
                fault::unavailable(OPERATION, &self.name, "there is no era; it will be made anew")
            })
    }

    /// What lets the generations of these scopes live as long as a record that is saved now; most
    /// often nothing needs to. Asked for as well where this process does not know how long they live:
    /// then it changes nothing but that.
    pub(super) fn keeping<'a>(&self, scopes: &'a [Scope], ttl: Ttl) -> Keeping<'a> {
        let mut short = Vec::new();
        let mut calls = Vec::new();
        for scope in scopes {
            if !self.pushed.lives.outlast(scope.id(), ttl) {
                let set = ttl.map(|ttl| ttl.saturating_mul(2).max(LIFE));
                let call = Call::new("save", &EXTEND, [names::generation(scope)]);
                calls.push(call.arg(millis(ttl)).arg(millis(set)));
                short.push(scope);
            }
        }
        Keeping { short, calls, asked: Instant::now() }
    }

    /// Lets the generations of these scopes live as long as a record that is saved elsewhere now.
    pub(super) async fn extend(&self, scopes: &[Scope], ttl: Ttl) -> Result<(), Error> {
        let Keeping { short, calls, asked } = self.keeping(scopes, ttl);
        if calls.is_empty() {
            return Ok(());
        }
        let mut failed = None;
        let replies = self.link.call(calls).await.into_iter();
        let seen = replies.map(|reply| reply.map_err(|error| failed.insert(error).kind()));
        self.kept(&short, asked, seen);
        failed.map_or(Ok(()), Err)
    }

    /// Remembers how long they live now. A failure costs another attempt at the next save.
    pub(super) fn kept<E>(
        &self,
        short: &[&Scope],
        asked: Instant,
        replies: impl Iterator<Item = Result<Value, E>>,
    ) {
        for (scope, reply) in short.iter().zip(replies) {
            if let Ok(Value::Int(left)) = reply
                && left != 0
            {
                self.pushed.lives.learn(scope.id(), asked, left);
            }
        }
    }
}

/// See [`RedisStore::keeping`].
pub(super) struct Keeping<'a> {
    pub(super) short: Vec<&'a Scope>,
    pub(super) calls: Vec<Call>,
    pub(super) asked: Instant,
}
