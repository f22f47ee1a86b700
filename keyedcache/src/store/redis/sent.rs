//! The invalidations and deletions of the last minute, to be sent again to a server that may not have
//! them: one that took over from another, or that was restarted from an older snapshot.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::names;
use super::script::{Call, DELETE, STRIKE};
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

#[derive(Debug, Default)]
pub(super) struct Sent(Mutex<VecDeque<(Instant, Struck)>>);

impl Sent {
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
        let mut sent = self.0.lock();
        sent.extend(all.map(|struck| (now, struck)));
        while sent.len() > REMEMBERED
            || sent.front().is_some_and(|(then, _)| now.duration_since(*then) > REMEMBERED_FOR)
        {
            sent.pop_front();
        }
    }

    /// What sends all of them again, each once.
    pub(super) fn again(&self) -> Vec<Call> {
        let sent = self.0.lock();
        let recent = sent.iter().filter(|(then, _)| then.elapsed() <= REMEMBERED_FOR);
        let each: HashSet<_> = recent.map(|(_, struck)| struck).collect();
        each.into_iter().map(Struck::call).collect()
    }
}

impl Struck {
    fn call(&self) -> Call {
        match self {
            Self::Scope(scope, true) => strike(scope, Severity::Hard),
            Self::Scope(scope, false) => strike(scope, Severity::Soft),
            Self::Key(key) => delete(key),
        }
    }
}

/// Replaces one token of a scope.
pub(super) fn strike(scope: &Scope, severity: Severity) -> Call {
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
        let sent = Sent::default();
        let (scope, key) = (Scope::new("a::everything"), StoredKey::new("a:1:b"));
        for _ in 0..3 {
            sent.strikes(std::slice::from_ref(&scope), Severity::Hard);
            sent.deletes(std::slice::from_ref(&key));
        }
        sent.strikes(std::slice::from_ref(&scope), Severity::Soft);
        assert_eq!(sent.again().len(), 3);
    }

    #[test]
    fn memory_is_bounded() {
        let sent = Sent::default();
        let keys: Vec<_> = (0..1000).map(|n| StoredKey::new(format!("a:1:{n}"))).collect();
        for _ in 0..REMEMBERED / 1000 + 5 {
            sent.deletes(&keys);
        }
        assert_eq!(sent.0.lock().len(), REMEMBERED);
    }
}
