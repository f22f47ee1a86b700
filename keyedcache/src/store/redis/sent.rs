//! The invalidations and deletions of the last minute, to be sent again to a server that may not have
//! them: one that took over from another, or that was restarted from an older snapshot.
//!
//! The minute ends when the servers last answered: what was struck just before a loss is what may be
//! missing after it, however long it lasts. What is struck meanwhile is remembered, too.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::heartbeats::Heartbeats;
use super::script::{Call, DELETE, STRIKE};
use super::{copies, names};
use crate::record::{GenerationToken, Scope};
use crate::store::{Severity, StoredKey};

/// For how long they are remembered.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);

/// How many are remembered, in an outage, too; beyond it, the oldest are forgotten earlier.
const REMEMBERED: usize = 250_000;

/// What is to be missing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Struck {
    Scope(Scope, bool),
    Key(StoredKey),
}

#[derive(Debug)]
pub(super) struct Sent {
    struck: Mutex<VecDeque<(Instant, Struck)>>,
    has_copies: bool,
    beats: Arc<Heartbeats>,
}

impl Sent {
    /// Nothing yet; `has_copies` where there are [`copies`] of generations.
    pub(super) fn new(has_copies: bool, beats: Arc<Heartbeats>) -> Self {
        Self { struck: Mutex::default(), has_copies, beats }
    }

    /// Remembers that scopes are invalidated; before the request is sent.
    pub(super) fn strikes(&self, scopes: &[Scope], severity: Severity) {
        let is_hard = severity == Severity::Hard;
        self.remember(scopes.iter().map(|scope| Struck::Scope(scope.clone(), is_hard)));
    }

    /// Remembers that keys are deleted; before the request is sent.
    pub(super) fn deletes(&self, keys: &[StoredKey]) {
        self.remember(keys.iter().map(|key| Struck::Key(key.clone())));
    }

    fn remember(&self, all: impl Iterator<Item = Struck>) {
        let now = Instant::now();
        let answered = self.beats.answered();
        let mut sent = self.struck.lock();
        sent.extend(all.map(|struck| (now, struck)));
        while sent.len() > REMEMBERED
            || sent.front().is_some_and(|(then, _)| !is_recent(*then, answered))
        {
            sent.pop_front();
        }
    }

    /// What sends all of them again, each once.
    pub(super) fn again(&self) -> Vec<Call> {
        self.again_since(None)
    }

    /// The same of those that were remembered after this moment.
    pub(super) fn again_since(&self, since: Option<Instant>) -> Vec<Call> {
        self.again_as_of(self.beats.answered(), since)
    }

    fn again_as_of(&self, answered: Instant, since: Option<Instant>) -> Vec<Call> {
        let sent = self.struck.lock();
        let is_wanted =
            |then: Instant| is_recent(then, answered) && since.is_none_or(|since| then >= since);
        let recent = sent.iter().rev().take_while(|(then, _)| is_wanted(*then));
        let each: HashSet<_> = recent.map(|(_, struck)| struck).collect();
        each.into_iter().flat_map(|struck| self.calls(struck)).collect()
    }

    fn calls(&self, struck: &Struck) -> Vec<Call> {
        match struck {
            Struck::Scope(scope, true) => self.strike(scope, Severity::Hard),
            Struck::Scope(scope, false) => self.strike(scope, Severity::Soft),
            Struck::Key(key) => vec![delete(key)],
        }
    }

    /// What replaces one token of a scope, in every copy.
    pub(super) fn strike(&self, scope: &Scope, severity: Severity) -> Vec<Call> {
        if self.has_copies {
            copies::all(scope).iter().map(|copy| strike(copy, severity)).collect()
        } else {
            vec![strike(scope, severity)]
        }
    }
}

/// Whether what was struck then was so within the minute before the servers last answered, or later.
fn is_recent(then: Instant, answered: Instant) -> bool {
    answered.saturating_duration_since(then) <= REMEMBERED_FOR
}

fn strike(scope: &Scope, severity: Severity) -> Call {
    let place = match severity {
        Severity::Hard => "0",
        Severity::Soft => "16",
    };
    Call::new("invalidate", &STRIKE, [names::generation(scope)])
        .arg(place)
        .arg(GenerationToken::random().0)
        .repeatable()
}

/// Deletes one key.
pub(super) fn delete(key: &StoredKey) -> Call {
    Call::new("delete", &DELETE, names::all(key)).repeatable()
}

#[cfg(test)]
mod tests {
    use super::super::heartbeats::Heart;
    use super::*;

    #[test]
    fn what_was_sent_is_sent_again_once_each() {
        let sent = Sent::new(false, Arc::default());
        let (scope, key) = (Scope::new("a::everything"), StoredKey::new("a:1:b"));
        for _ in 0..3 {
            sent.strikes(std::slice::from_ref(&scope), Severity::Hard);
            sent.deletes(std::slice::from_ref(&key));
        }
        sent.strikes(std::slice::from_ref(&scope), Severity::Soft);
        assert_eq!(sent.again().len(), 3);
        assert_eq!(sent.again_since(Some(Instant::now())).len(), 0);
    }

    #[test]
    fn what_was_struck_in_the_minute_before_the_last_answer_is_sent_again_however_long_ago_that_is()
    {
        const OUTAGE: Duration = Duration::from_mins(3);

        let beats = Arc::<Heartbeats>::default();
        let heart = Heart::new(&beats);
        let sent = Sent::new(false, beats);
        let Some(lost) = Instant::now().checked_sub(OUTAGE) else { return };
        let [just_before, long_before] =
            [1, 61].map(|seconds| lost.checked_sub(Duration::from_secs(seconds)).unwrap_or(lost));
        for (then, key) in [(long_before, "a:1:long"), (just_before, "a:1:just")] {
            sent.struck.lock().push_back((then, Struck::Key(StoredKey::new(key))));
        }
        heart.answered_at(lost);
        assert_eq!(sent.again().len(), 1, "what was struck just before the loss");
        sent.deletes(&[StoredKey::new("a:1:meanwhile")]);
        assert_eq!(sent.again().len(), 2, "and what was struck since");
        heart.answered_at(Instant::now());
        assert_eq!(sent.again().len(), 1, "it has answered");
    }

    #[test]
    fn every_copy_is_struck() {
        let sent = Sent::new(true, Arc::default());
        let scopes = [Scope::new("a::everything"), Scope::new("a::tag:x")];
        sent.strikes(&scopes, Severity::Hard);
        assert_eq!(sent.again().len(), 17 + 1);
    }

    #[test]
    fn memory_is_bounded() {
        let sent = Sent::new(false, Arc::default());
        let keys: Vec<_> = (0..1000).map(|n| StoredKey::new(format!("a:1:{n}"))).collect();
        for _ in 0..REMEMBERED / 1000 + 5 {
            sent.deletes(&keys);
        }
        assert_eq!(sent.struck.lock().len(), REMEMBERED);
    }
}
