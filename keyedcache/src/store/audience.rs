//! Those who are told what changes in a store.
//!
//! Sinks are held weakly and called under no lock, since what they do is their own affair.

use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use crate::store::{HolderId, Sink};

#[derive(Default)]
pub(super) struct Audience(RwLock<Vec<Member>>);

struct Member {
    holder: HolderId,
    sink: Weak<dyn Sink>,
}

impl Audience {
    /// Adds a sink and drops those that have died.
    pub(super) fn admit(&self, holder: HolderId, sink: Weak<dyn Sink>) {
        let mut members = self.0.write();
        members.retain(|member| member.sink.strong_count() > 0);
        members.push(Member { holder, sink });
    }

    /// Tells every living sink, but for those of the holder `except`.
    pub(super) fn tell(&self, except: Option<HolderId>, message: impl Fn(&dyn Sink)) {
        for sink in self.living(except) {
            message(&*sink);
        }
    }

    fn living(&self, except: Option<HolderId>) -> Vec<Arc<dyn Sink>> {
        let members = self.0.read();
        let told = members.iter().filter(|member| Some(member.holder) != except);
        told.filter_map(|member| member.sink.upgrade()).collect()
    }
}
