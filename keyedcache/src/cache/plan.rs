//! How one family of answers is kept: what a function's calls, or the reads of an ad-hoc value,
//! have in common.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::Codec;
use crate::flight::Shared;
use crate::policy::{Policy, Timeout, spread};
use crate::record::{Fingerprint, Header, Scope, Stamp};
use crate::store::{Loaded, Pending, StoredKey};

use super::core::Core;
use super::limits::Limits;
use super::look::{Decode, draw};

/// What all calls of a family share.
pub(crate) struct Plan {
    pub(crate) core: Arc<Core>,
    pub(crate) policy: Policy,
    /// What its records are stamped with.
    pub(crate) scopes: Arc<[Scope]>,
    /// Records of another signature are missing.
    pub(crate) fingerprint: Fingerprint,
    /// What answers are encoded by.
    pub(crate) codec: Codec,
}

impl Plan {
    /// The plan of a value that is kept by hand.
    pub(crate) fn of_values(core: &Arc<Core>, scopes: Arc<[Scope]>) -> Self {
        Self {
            core: Arc::clone(core),
            policy: core.policy.clone(),
            scopes,
            fingerprint: Fingerprint::default(),
            codec: core.codec,
        }
    }

    /// The plan for what belongs to these scopes too.
    pub(crate) fn with_scopes(&self, more: impl Iterator<Item = Scope>) -> Self {
        Self {
            core: Arc::clone(&self.core),
            policy: self.policy.clone(),
            scopes: self.scopes.iter().cloned().chain(more).collect(),
            fingerprint: self.fingerprint,
            codec: self.codec,
        }
    }

    /// Whether the answers are kept near as well, and so must be told of when they change.
    pub(crate) fn keeps_near(&self) -> bool {
        self.core.has_near() && self.policy.near > 0
    }

    /// What stands under each key, and the generation of each scope.
    pub(crate) fn read<'a>(
        &'a self,
        keys: &'a [StoredKey],
        scopes: &'a [Scope],
    ) -> Pending<'a, Loaded> {
        let store = &self.core.store;
        if self.keeps_near() { store.load(keys, scopes) } else { store.glance(keys, scopes) }
    }

    /// The header of a record that is made now.
    ///
    /// It is as old as its save, as in every cache that counts a timeout from when it was set.
    pub(crate) fn header(&self, timeout: Timeout, stamp: Stamp, cost: Duration) -> Header {
        let policy = &self.policy;
        let fresh_for = timeout.as_duration().map(|timeout| match policy.jitter {
            0.0 => timeout,
            jitter => spread(timeout, jitter, draw()),
        });
        let mut header = Header::new(self.core.store.now());
        header.fresh_for = fresh_for;
        header.stale_for = policy.stale;
        header.stale_if_error = policy.stale_if_error;
        header.cost = cost;
        header.fingerprint = self.fingerprint;
        header.stamp = stamp;
        header
    }
}

/// One call: a plan and a key.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) plan: Arc<Plan>,
    pub(crate) key: StoredKey,
    pub(crate) decode: Decode,
    /// When it stops waiting for a computation.
    pub(crate) limits: Limits,
}

/// What a caller is to do.
pub(crate) enum Begin {
    /// Return this; near caches may keep it until then.
    Answer { value: Shared, until: Option<crate::Moment> },
    /// Return this and refresh it in the background, if the right to is given.
    Stale { value: Shared, refresh: Option<Box<super::lead::Refresher>> },
    /// Return an error with this in it.
    Error(Shared),
    /// Compute, store nothing; if that fails, return this.
    Alone(Option<Shared>),
    /// Return what says that no answer came in time.
    TimedOut,
    /// Compute, then finish.
    Lead(Box<super::lead::Leader>),
}
