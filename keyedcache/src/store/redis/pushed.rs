//! What is told to this process's near caches and waiters, by servers and by the store itself.

use std::sync::Weak;

use super::copies;
use super::lives::Lives;
use super::names::{self, Named};
use super::waiters::Waiters;
use crate::record::Scope;
use crate::store::audience::Audience;
use crate::store::{HolderId, Sink, StoredKey};

/// Everyone who is to hear of a change.
#[derive(Default)]
pub(super) struct Pushed {
    audience: Audience,
    pub(super) waiters: Waiters,
    pub(super) lives: Lives,
}

impl Pushed {
    pub(super) fn admit(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        self.audience.admit(holder, sink);
    }

    /// A server says that somebody has changed what stands under this name.
    pub(super) fn changed(&self, name: &[u8]) {
        match names::named(name) {
            Some(Named::Record(key)) => {
                self.audience.tell(None, |sink| sink.key_changed(key.digest()));
                self.waiters.hear(&key);
            }
            Some(Named::Held(key)) => self.waiters.hear(&key),
            Some(Named::Generation(scope)) => self.scope_changed(&scope),
            Some(Named::Era) => self.lost(),
            None => {}
        }
    }

    /// Changes may have been missed.
    pub(super) fn lost(&self) {
        self.lives.forget_all();
        self.audience.tell(None, |sink| sink.lost());
        self.waiters.wake_all();
    }

    /// Of a copy, near caches know what it is a copy of.
    fn scope_changed(&self, scope: &Scope) {
        self.lives.forget(scope.id());
        let original = copies::original(scope).id();
        self.audience.tell(None, |sink| sink.scope_changed(original));
    }

    /// What is returned tells, when it is dropped, that this process may have changed a key: servers
    /// tell the one who made a change only after they have answered. Made before the request is sent,
    /// so that a caller who gives up tells too.
    pub(super) fn writing<'a>(&'a self, key: &'a StoredKey) -> Writing<'a> {
        Writing { pushed: self, key, told: Told::Everyone }
    }

    /// The same of scopes. Their copies live as long as before: a strike changes no time to live, and
    /// a generation that goes is made anew, and its life learnt, before anything is stamped with it.
    pub(super) fn striking<'a>(&'a self, scopes: &'a [Scope]) -> Striking<'a> {
        Striking { pushed: self, scopes }
    }
}

impl std::fmt::Debug for Pushed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pushed").field("waiters", &self.waiters).finish_non_exhaustive()
    }
}

enum Told {
    Everyone,
    EveryoneBut(HolderId),
    WaitersOnly,
    Nobody,
}

/// See [`Pushed::writing`].
pub(super) struct Writing<'a> {
    pushed: &'a Pushed,
    key: &'a StoredKey,
    told: Told,
}

impl Writing<'_> {
    /// It was a save under a lease of this holder, whose near cache keeps what it saved, until the
    /// server tells of it.
    pub(super) fn has_saved_for(mut self, holder: HolderId) {
        self.told = Told::EveryoneBut(holder);
    }

    /// Only the lease has changed.
    pub(super) fn has_changed_the_lease(mut self) {
        self.told = Told::WaitersOnly;
    }

    /// Nothing was changed, for certain.
    pub(super) fn has_changed_nothing(mut self) {
        self.told = Told::Nobody;
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let digest = self.key.digest();
        match self.told {
            Told::Nobody => return,
            Told::WaitersOnly => {}
            Told::Everyone => self.pushed.audience.tell(None, |sink| sink.key_changed(digest)),
            Told::EveryoneBut(holder) => {
                self.pushed.audience.tell(Some(holder), |sink| sink.key_changed(digest));
            }
        }
        self.pushed.waiters.hear(self.key);
    }
}

/// See [`Pushed::striking`].
pub(super) struct Striking<'a> {
    pushed: &'a Pushed,
    scopes: &'a [Scope],
}

impl Drop for Striking<'_> {
    fn drop(&mut self) {
        self.scopes.iter().for_each(|scope| self.pushed.scope_changed(scope));
    }
}
