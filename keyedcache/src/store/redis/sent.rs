//! The invalidations and deletions of the last minute, to be sent again to a server that may not have
//! them: one that took over from another, or that was restarted from an older snapshot.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::script::{Call, DELETE, STRIKE};
use super::{copies, names};
use crate::record::{GenerationToken, Scope};
use crate::store::{Severity, StoredKey};

/// For how long they are remembered.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);

/// How many are remembered; beyond it, the oldest are forgotten earlier.
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
}

impl Sent {
    /// Nothing yet; `has_copies` where there are [`copies`] of generations.
    pub(super) fn new(has_copies: bool) -> Self {
        Self { struck: Mutex::default(), has_copies }
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
        let mut sent = self.struck.lock();
        sent.extend(all.map(|struck| (now, struck)));
        while sent.len() > REMEMBERED
            || sent.front().is_some_and(|(then, _)| now.duration_since(*then) > REMEMBERED_FOR)
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
        let sent = self.struck.lock();
        let is_recent = |then: &Instant| {
            then.elapsed() <= REMEMBERED_FOR && since.is_none_or(|since| *then >= since)
        };
        let recent = sent.iter().rev().take_while(|(then, _)| is_recent(then));
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
    use super::*;

    #[test]
    fn what_was_sent_is_sent_again_once_each() {
        let sent = Sent::new(false);
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
    fn every_copy_is_struck() {
        let sent = Sent::new(true);
        let scopes = [Scope::new("a::everything"), Scope::new("a::tag:x")];
        sent.strikes(&scopes, Severity::Hard);
        assert_eq!(sent.again().len(), 17 + 1);
    }

    #[test]
    fn memory_is_bounded() {
        let sent = Sent::new(false);
        let keys: Vec<_> = (0..1000).map(|n| StoredKey::new(format!("a:1:{n}"))).collect();
        for _ in 0..REMEMBERED / 1000 + 5 {
            sent.deletes(&keys);
        }
        assert_eq!(sent.struck.lock().len(), REMEMBERED);
    }
}
