//! The generations of scopes: one small object each, with a hard and a soft token.
//!
//! A token is replaced by a conditional write, so that neither of two invalidations at once undoes the
//! other. Where conditions are not heeded, every invalidation replaces both tokens, nothing that was
//! read is ever written back, and of two that make one at once, the answers of one are missing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::client::{ETag, Got, Only, Put};
use super::fault::{Fault, Outcome};
use super::inner::Inner;
use super::patience::Patience;
use crate::error::{Error, ErrorKind};
use crate::record::{Generation, GenerationToken, Scope, ScopeId};
use crate::store::Severity;

/// How many generations are remembered at most.
const MOST: usize = 10_000;

/// The generations that this process remembers for a while, if it was told to.
#[derive(Debug)]
pub(super) struct Tokens {
    remember: Duration,
    known: Mutex<HashMap<ScopeId, (Instant, Generation)>>,
    /// Moves on when something is forgotten, so that a read begun before that is not remembered.
    forgotten: AtomicU64,
}

impl Tokens {
    pub(super) fn new(remember: Duration) -> Self {
        Self { remember, known: Mutex::default(), forgotten: AtomicU64::new(0) }
    }

    fn get(&self, scope: &Scope) -> Option<Generation> {
        if self.remember.is_zero() {
            return None;
        }
        let known = self.known.lock();
        let (read, generation) = known.get(&scope.id())?;
        (read.elapsed() < self.remember).then_some(*generation)
    }

    fn mark(&self) -> u64 {
        self.forgotten.load(Ordering::Acquire)
    }

    /// Remembers what was asked for at `began`, since when nothing was forgotten if `mark` stands.
    fn remember(&self, scope: &Scope, generation: Generation, began: Instant, mark: u64) {
        if self.remember.is_zero() {
            return;
        }
        let mut known = self.known.lock();
        if known.len() >= MOST {
            known.retain(|_, (read, _)| read.elapsed() < self.remember);
        }
        if known.len() < MOST && self.mark() == mark {
            known.insert(scope.id(), (began, generation));
        }
    }

    fn forget(&self, scope: &Scope) {
        let mut known = self.known.lock();
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        known.remove(&scope.id());
    }
}

impl Inner {
    /// The generation of a scope, if it has one.
    pub(super) async fn generation(
        self: &Arc<Self>,
        scope: &Scope,
    ) -> Result<Option<Generation>, Error> {
        if let Some(known) = self.tokens.get(scope) {
            return Ok(Some(known));
        }
        let (began, mark) = (Instant::now(), self.tokens.mark());
        let found = self.read_shared(&self.names.of_scope(scope)).await?;
        let found = found.and_then(|(_, body)| read(&body));
        if let Some(generation) = found {
            self.tokens.remember(scope, generation, began, mark);
        }
        Ok(found)
    }

    /// The generation of a scope, made if there is none; of two that make one, the stored one wins.
    pub(super) async fn create_generation(&self, scope: &Scope) -> Result<Generation, Error> {
        let mut patience = self.patience();
        loop {
            let (etag, found) = self.read_generation(scope, &mut patience).await?;
            if let Some(generation) = found {
                return Ok(generation);
            }
            let generation = Generation::random();
            let write = self.write_generation(scope, etag.as_ref(), generation, &mut patience);
            if self.stands(write.await, &mut patience).await? {
                return Ok(generation);
            }
        }
    }

    /// Replaces one token of a scope.
    pub(super) async fn replace_token(
        &self,
        scope: &Scope,
        severity: Severity,
    ) -> Result<(), Error> {
        self.tokens.forget(scope);
        let replaced = self.replace_stored_token(scope, severity).await;
        // A read that overtook the write may have been remembered.
        self.tokens.forget(scope);
        replaced
    }

    async fn replace_stored_token(&self, scope: &Scope, severity: Severity) -> Result<(), Error> {
        let mut patience = self.patience();
        if !self.heeds_conditions(&mut patience).await? {
            return self.overwrite_generation(scope, &mut patience).await;
        }
        let token = |generation: Generation| match severity {
            Severity::Hard => generation.hard,
            Severity::Soft => generation.soft,
        };
        let mut first = None;
        loop {
            let (etag, found) = self.read_generation(scope, &mut patience).await?;
            let bears = found.map(token);
            // Somebody else replaced it since this began, which is all that was asked for.
            if *first.get_or_insert(bears) != bears {
                return Ok(());
            }
            let generation = match (found, severity) {
                (None, _) => Generation::random(),
                (Some(now), Severity::Hard) => {
                    Generation { hard: GenerationToken::random(), ..now }
                }
                (Some(now), Severity::Soft) => {
                    Generation { soft: GenerationToken::random(), ..now }
                }
            };
            let write = self.write_generation(scope, etag.as_ref(), generation, &mut patience);
            if self.stands(write.await, &mut patience).await? {
                return Ok(());
            }
        }
    }

    /// Replaces both tokens blindly.
    async fn overwrite_generation(
        &self,
        scope: &Scope,
        patience: &mut Patience,
    ) -> Result<(), Error> {
        let name = self.names.of_scope(scope);
        loop {
            let body = write(scope, Generation::random());
            match self.bucket.put(&name, body, &Only::Always).await {
                Ok(_) => return Ok(()),
                Err(fault) => patience.again(fault).await?,
            }
        }
    }

    async fn read_generation(
        &self,
        scope: &Scope,
        patience: &mut Patience,
    ) -> Result<(Option<ETag>, Option<Generation>), Error> {
        match self.get(&self.names.of_scope(scope), None, None, patience).await? {
            Got::Found { etag, body } => Ok((Some(etag), read(&body))),
            Got::Absent | Got::Unchanged => Ok((None, None)),
        }
    }

    async fn write_generation(
        &self,
        scope: &Scope,
        expected: Option<&ETag>,
        generation: Generation,
        patience: &mut Patience,
    ) -> Result<Put, Fault> {
        let refused = |error| Fault { outcome: Outcome::Refused, error };
        let heeds = self.heeds_conditions(patience).await.map_err(refused)?;
        let only = if heeds { Only::if_still(expected) } else { Only::Always };
        let name = self.names.of_scope(scope);
        self.bucket.put(&name, write(scope, generation), &only).await
    }

    /// Whether a write took place; `false` if it is to be read again, after a pause if need be.
    async fn stands(
        &self,
        written: Result<Put, Fault>,
        patience: &mut Patience,
    ) -> Result<bool, Error> {
        match written {
            Ok(Put::Done(_)) => Ok(true),
            Ok(Put::Refused) if patience.pause().await => Ok(false),
            Ok(Put::Refused) => {
                let message = "others invalidate the same scope all the time";
                Err(self.error(ErrorKind::Timeout, "invalidate", message))
            }
            Err(Fault { outcome: Outcome::Unsupported, error }) => Err(error),
            Err(fault) => patience.again(fault).await.map(|()| false),
        }
    }
}

pub(super) fn write(scope: &Scope, generation: Generation) -> Bytes {
    let text = scope.text().replace(['"', '\\'], "?").replace(char::is_control, "?");
    let (hard, soft) = (hex(generation.hard), hex(generation.soft));
    format!("{{\"hard\":\"{hard}\",\"soft\":\"{soft}\",\"scope\":\"{text}\"}}\n").into()
}

/// The generation of an object; `None` of what is none, which makes all that is stamped with it
/// missing.
pub(super) fn read(body: &[u8]) -> Option<Generation> {
    let (hard, rest) = body.strip_prefix(b"{\"hard\":\"")?.split_at_checked(32)?;
    let (soft, _) = rest.strip_prefix(b"\",\"soft\":\"")?.split_at_checked(32)?;
    Some(Generation { hard: unhex(hard)?, soft: unhex(soft)? })
}

fn hex(token: GenerationToken) -> String {
    format!("{:032x}", u128::from_be_bytes(token.0))
}

fn unhex(digits: &[u8]) -> Option<GenerationToken> {
    let digits = std::str::from_utf8(digits).ok()?;
    Some(GenerationToken(u128::from_str_radix(digits, 16).ok()?.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_read_back_and_nothing_else_is_one() {
        for text in ["shop::everything", "a\"b\\c\nd"] {
            let generation = Generation::random();
            let body = write(&Scope::new(text), generation);
            assert_eq!(read(&body), Some(generation));
            for cut in 0..80 {
                assert_eq!(read(&body[..cut]), None);
            }
        }
        assert_eq!(read(b"{\"hard\":\"+0000000000000000000000000000000\",\"soft\":\"x\"}"), None);
    }

    #[test]
    fn what_was_read_before_a_scope_was_forgotten_is_not_remembered() {
        let tokens = Tokens::new(Duration::from_mins(1));
        let (scope, generation) = (Scope::new("scope"), Generation::random());
        let (began, mark) = (Instant::now(), tokens.mark());
        tokens.remember(&scope, generation, began, mark);
        assert_eq!(tokens.get(&scope), Some(generation));
        tokens.forget(&scope);
        tokens.remember(&scope, generation, began, mark);
        assert_eq!(tokens.get(&scope), None);
    }

    #[test]
    fn generation_is_remembered_for_as_long_as_was_said_and_no_longer() {
        let (scope, generation) = (Scope::new("scope"), Generation::random());
        let ago = |time| Instant::now().checked_sub(Duration::from_secs(time)).unwrap();
        for (remember, age, is_known) in [(0, 0, false), (60, 50, true), (60, 61, false)] {
            let tokens = Tokens::new(Duration::from_secs(remember));
            tokens.remember(&scope, generation, ago(age), tokens.mark());
            assert_eq!(tokens.get(&scope).is_some(), is_known, "{remember} s, {age} s ago");
        }
    }
}
