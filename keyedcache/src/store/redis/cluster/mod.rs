//! A cluster: one [`Server`] for each primary, and who serves which slot.
//!
//! | file | owns |
//! |---|---|
//! | `map` | which primary serves which slots, as a node says it |
//! | `topology` | the map that is used, the servers in it, and how both follow what happens |
//! | `request` | one command for one slot, and what its reply means |
//! | `dispatch` | getting requests to where they belong, whatever moves meanwhile |
//! | `reading` `apart` | reading names; records from replicas |
//! | `scanning` | going through the names of all nodes |
//! | `together` | several nodes asked at once |
//! | `eras` | that everything is missing after a failover, where that is asked for |
//!
//! Invariants:
//!
//! - A request that is sent on to another node has not been executed, so it may be sent again
//!   whatever it is.
//! - Slots that have another owner are asked for there only when the new one has been told again
//!   what this process struck of them in the last minute, and while it was told; what is struck at the
//!   very moment at which it begins to be asked is sent right after. Single names of a slot that is on
//!   its way are asked for where it goes to without that: they are moved with all that they are.
//! - An era that is not of the data of all primaries in use is none.
//! - When slots have another owner, near caches are emptied: what they hold is registered elsewhere.

mod apart;
mod dispatch;
mod eras;
mod map;
mod reading;
mod request;
mod scanning;
mod together;
mod topology;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use redis::Value;
use tokio::task::JoinHandle;

use self::request::{Request, What};
use self::topology::Topology;
use super::builder::Settings;
use super::fault;
use super::link::{Link, Replies, Step};
use super::script::Call;
use super::server::Common;
use super::slots::slot;
use crate::error::Error;
use crate::runtime;
use crate::store::Pending;

/// A link to a cluster.
pub(super) struct Cluster {
    topology: Arc<Topology>,
    upkeep: JoinHandle<()>,
}

impl Cluster {
    /// Begins to look for its nodes.
    pub(super) fn start(settings: Settings, common: Common) -> Self {
        let topology = Topology::new(settings, common);
        let upkeep = runtime::background().spawn(topology::run(Arc::clone(&topology)));
        Self { topology, upkeep }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.upkeep.abort();
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("topology", &self.topology).finish_non_exhaustive()
    }
}

impl Link for Cluster {
    fn read(&self, names: Vec<String>) -> Pending<'_, Vec<Option<Bytes>>> {
        Box::pin(self.topology.read(names))
    }

    fn call(&self, calls: Vec<Call>) -> Replies<'_> {
        Box::pin(async move {
            let Some(operation) = calls.first().map(|call| call.operation) else {
                return Vec::new();
            };
            let mut replies: Vec<Option<Result<Value, Error>>> = Vec::new();
            replies.resize_with(calls.len(), || None);
            let requests = calls.into_iter().enumerate().map(|(at, call)| {
                Request::new(slot(call.key()), What::Call { at, call, by_text: false })
            });
            for (what, reply) in self.topology.dispatch(operation, requests.collect()).await {
                if let What::Call { at, .. } = what {
                    replies[at] = Some(reply);
                }
            }
            let missing = || Err(fault::garbled(operation, &self.topology.common.name));
            replies.into_iter().map(|reply| reply.unwrap_or_else(missing)).collect()
        })
    }

    fn unlink(&self, names: Vec<String>) -> Pending<'_, usize> {
        const OPERATION: &str = "clear";
        Box::pin(async move {
            let slots = reading::by_slot(names.into_iter().enumerate()).into_iter();
            let requests = slots.map(|(slot, names)| Request::new(slot, What::Unlink(names)));
            let mut count = 0;
            for (_, reply) in self.topology.dispatch(OPERATION, requests.collect()).await {
                let Value::Int(some) = reply? else {
                    return Err(fault::garbled(OPERATION, &self.topology.common.name));
                };
                count += usize::try_from(some).unwrap_or_default();
            }
            Ok(count)
        })
    }

    fn scan<'a>(
        &'a self,
        pattern: String,
        from: Option<&'a str>,
        count: usize,
    ) -> Pending<'a, Step> {
        Box::pin(self.topology.scan(pattern, from, count))
    }
}
