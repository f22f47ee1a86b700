//! Those who are told what changes in a store.
//!
//! Sinks are held weakly and called under no lock, since what they do is their own affair.

use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use crate::store::{HolderId, Sink};

#[derive(Default)]
pub(super) struct Audience(RwLock<Arc<[Member]>>);

#[derive(Clone)]
struct Member {
    holder: HolderId,
    sink: Weak<dyn Sink>,
}

impl Audience {
    /// Adds a sink and drops those that have died.
    pub(super) fn admit(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        let mut members = self.0.write();
        let living = members.iter().filter(|member| member.sink.strong_count() > 0);
        *members = living.cloned().chain([Member { holder, sink }]).collect();
    }

    /// Tells every living sink, but for those of the holder `except`.
    pub(super) fn tell(&self, except: Option<HolderId>, message: impl Fn(&dyn Sink)) {
        let members = Arc::clone(&self.0.read());
        for member in members.iter().filter(|member| Some(member.holder) != except) {
            if let Some(sink) = member.sink.upgrade() {
                message(&*sink);
            }
        }
    }
}
