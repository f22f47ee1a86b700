//! How long the generations of scopes are known to live, so that saves need not ask each time.
//!
//! What is told here is at most what is true: a generation that has been replaced, or may have been,
//! is forgotten. To know nothing costs a command.

use std::collections::HashMap;
use std::time::Instant;

use parking_lot::Mutex;

use crate::record::ScopeId;
use crate::runtime;
use crate::store::Ttl;

/// How many scopes are remembered; with one more, all are forgotten.
const REMEMBERED: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Lives(Mutex<HashMap<ScopeId, Option<Instant>>>);

impl Lives {
    /// Whether the generation of a scope lives at least as long as a record that is saved now.
    pub(super) fn outlast(&self, scope: ScopeId, ttl: Ttl) -> bool {
        match (self.0.lock().get(&scope), ttl) {
            (Some(None), _) => true,
            (Some(Some(end)), Some(ttl)) => runtime::after(ttl) <= *end,
            (Some(Some(_)), None) | (None, _) => false,
        }
    }

    /// It lives for so many milliseconds from before they were asked for, for ever if negative.
    pub(super) fn learn(&self, scope: ScopeId, asked: Instant, millis: i64) {
        let left = u64::try_from(millis).ok().map(std::time::Duration::from_millis);
        let end = match left {
            None => None,
            Some(left) => asked.checked_add(left),
        };
        let mut lives = self.0.lock();
        if lives.len() >= REMEMBERED && !lives.contains_key(&scope) {
            lives.clear();
        }
        lives.insert(scope, end);
    }

    pub(super) fn forget(&self, scope: ScopeId) {
        self.0.lock().remove(&scope);
    }

    pub(super) fn forget_all(&self) {
        self.0.lock().clear();
    }
}
