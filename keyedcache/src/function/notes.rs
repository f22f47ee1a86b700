//! What is noted of a call when it begins, before any store is asked.
//!
//! It knows nothing of the types of arguments and answers, so that it is compiled once.

use std::sync::Arc;

use crate::TimedOut;
use crate::cache::{Core, Limits, Plan};
use crate::clock::Moment;
use crate::key::Segments;
use crate::near::{Kept, Near, Noted};
use crate::store::KeyDigest;

use super::site::{Function, Site};

/// The notes of one call.
pub(super) struct Notes {
    site: &'static Site,
    pub(super) function: Arc<Function>,
    pub(super) plan: Arc<Plan>,
    pub(super) limits: Limits,
    /// `None` where nothing is kept near.
    near: Option<Place>,
    /// `None` where time is not limited.
    key: Option<Box<str>>,
}

/// Where in the near cache the answer belongs, and what it will be valid against.
struct Place {
    near: &'static Near,
    hash: u64,
    noted: Noted,
}

impl Notes {
    /// Makes them; with them comes the text of the stored key.
    pub(super) fn now(
        site: &'static Site,
        arguments: &dyn Segments,
        hash: &dyn Fn(&Near) -> u64,
    ) -> (Self, String) {
        // Before the function's cache is looked up: it may be another from then on.
        let epoch = site.state().epoch.note();
        let function = site.function();
        let key = function.stored_text(arguments);
        let near = (function.near > 0).then(|| {
            let near = site.near_or_new(function.near);
            let noted = Noted::now(epoch, KeyDigest::of(&key));
            Place { near, hash: hash(near), noted }
        });
        let plan = function.plan_of(&arguments.scopes());
        let limits = Limits::from_now(&plan.policy);
        let limited = plan.policy.hard_timeout.map(|_| key.as_str().into());
        (Self { site, function, plan, limits, near, key: limited }, key)
    }

    /// Whether the answer is to be kept near.
    pub(super) fn keeps_near(&self) -> bool {
        self.near.is_some()
    }

    /// Keeps it near, if it is to be: it is fresh until `until` by the store's clock.
    pub(super) fn put_near(&mut self, until: Moment, kept: Kept) {
        let Some(Place { near, hash, noted }) = self.near.take() else { return };
        let deadline = self.core().near_deadline(until);
        let epoch = &self.site.state().epoch;
        near.put(hash, kept, deadline, (noted, epoch), self.function.voucher());
    }

    /// As [`Noted::at_save`].
    pub(super) fn note_at_save(&mut self) {
        if let Some(near) = &mut self.near {
            near.noted = near.noted.at_save();
        }
    }

    /// As [`Noted::anew`].
    pub(super) fn note_anew(&mut self) {
        let epoch = self.site.state().epoch.note();
        if let Some(near) = &mut self.near {
            near.noted = near.noted.anew(epoch);
        }
    }

    /// What a caller learns that got no answer in time.
    pub(super) fn timed_out(&self) -> TimedOut {
        let key = self.key.as_ref().map_or("", |key| self.function.text_of(key));
        TimedOut::new(key, self.plan.policy.hard_timeout.unwrap_or_default())
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        self.function.core()
    }
}
