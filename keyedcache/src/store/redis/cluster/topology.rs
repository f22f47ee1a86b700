//! Who serves what: the map that is used and the servers in it.
//!
//! - Nodes are asked when a request was sent elsewhere, a connection is lost, a heartbeat tells of a
//!   new epoch, often while something is amiss, and now and then anyway.
//! - The map that knows the latest epoch wins. What it does not know stays as it was.

mod finding;
mod following;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

pub(super) use self::following::run;
use super::eras::{Mark, Upkeep};
use super::map::Map;
use crate::error::Error;
use crate::runtime;
use crate::store::redis::address::Place;
use crate::store::redis::builder::Settings;
use crate::store::redis::fault;
use crate::store::redis::script::Call;
use crate::store::redis::server::{Common, Server, Whole};
use crate::store::redis::slots::slot;

/// For how long a node is kept that a slot was said to be on its way to, and then did not come.
const VISIT: Duration = Duration::from_mins(1);

/// All that is known of a cluster.
pub(super) struct Topology {
    pub(super) settings: Settings,
    pub(super) common: Common,
    view: watch::Sender<View>,
    /// Nodes that serve no slot yet, and when they were last asked.
    guests: Mutex<HashMap<Place, (Arc<Node>, Instant)>>,
    pub(super) eras: Upkeep,
    /// What this process struck and could not be sent yet to whom it belongs now.
    owed: Mutex<Vec<Call>>,
    /// The node that last said that a slot is elsewhere: it knows something new.
    hinted: Mutex<Option<Place>>,
    news: Notify,
    /// How often somebody wanted the nodes to be asked again, and which of these has been done.
    wanted: AtomicU64,
    served: watch::Sender<u64>,
    this: Weak<Self>,
}

/// What callers go by.
enum View {
    /// No node has been found yet.
    Looking,
    Known(Arc<Table>),
    Nowhere(Box<str>),
}

/// One primary.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) mark: Arc<Mark>,
    pub(super) server: Server,
}

/// The map, and a node for each of its places.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) map: Map,
    /// In the order of the map's places.
    pub(super) nodes: Vec<Arc<Node>>,
}

impl Table {
    /// The node that serves a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Node>> {
        self.nodes.get(self.map.owner(slot)?)
    }

    pub(super) fn node(&self, place: &Place) -> Option<&Arc<Node>> {
        self.nodes.iter().find(|node| node.place == *place)
    }
}

impl Topology {
    pub(super) fn new(settings: Settings, common: Common) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            settings,
            common,
            view: watch::Sender::new(View::Looking),
            guests: Mutex::default(),
            eras: Upkeep::default(),
            owed: Mutex::default(),
            hinted: Mutex::default(),
            news: Notify::new(),
            wanted: AtomicU64::new(0),
            served: watch::Sender::new(0),
            this: Weak::clone(this),
        })
    }

    /// What is known, or an error at once if nothing can be.
    pub(super) async fn table(
        &self,
        operation: &'static str,
        until: Instant,
    ) -> Result<Arc<Table>, Error> {
        let ready = |view: &View| match view {
            View::Looking => None,
            View::Known(table) => Some(Ok(Arc::clone(table))),
            View::Nowhere(because) => {
                Some(Err(fault::unavailable(operation, &self.common.name, because)))
            }
        };
        if let Some(answer) = ready(&self.view.borrow()) {
            return answer;
        }
        let mut views = self.view.subscribe();
        let found = views.wait_for(|view| !matches!(view, View::Looking));
        let found = runtime::timeout(until.saturating_duration_since(Instant::now()), found).await;
        found.and_then(|view| ready(&*view.ok()?)).unwrap_or_else(|| {
            let because = "no node of the cluster has answered yet";
            Err(fault::unavailable(operation, &self.common.name, because))
        })
    }

    /// What callers go by, if anything is known.
    pub(super) fn known(&self) -> Option<Arc<Table>> {
        match &*self.view.borrow() {
            View::Known(table) => Some(Arc::clone(table)),
            View::Looking | View::Nowhere(_) => None,
        }
    }

    /// A node that a slot is on its way to; it may serve none yet.
    pub(super) fn guest(&self, table: &Table, place: &Place) -> Arc<Node> {
        if let Some(node) = table.node(place) {
            return Arc::clone(node);
        }
        let mut guests = self.guests.lock();
        let guest =
            guests.entry(place.clone()).or_insert_with(|| (self.start(place), Instant::now()));
        guest.1 = Instant::now();
        Arc::clone(&guest.0)
    }

    fn start(&self, place: &Place) -> Arc<Node> {
        let settings = Settings {
            address: self.settings.address.only(place.clone()),
            ..self.settings.clone()
        };
        let name = format!("{}, node {place}", self.common.name);
        let common = Common { name: name.into(), ..self.common.clone() };
        let mark = Arc::<Mark>::default();
        let topology = Weak::clone(&self.this);
        let part = Part { place: place.clone(), mark: Arc::clone(&mark), topology };
        let server = Server::start(settings, common, Some(Box::new(part)));
        Arc::new(Node { place: place.clone(), mark, server })
    }

    /// The node at this place knows something new.
    pub(super) fn hint(&self, place: &Place) {
        *self.hinted.lock() = Some(place.clone());
    }

    /// Nodes are to be asked again.
    pub(super) fn look(&self) {
        self.news.notify_one();
    }

    /// Has the nodes asked again, and returns when that is done.
    pub(super) async fn look_again(&self, until: Instant) {
        let wanted = self.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        let mut served = self.served.subscribe();
        self.look();
        let done = served.wait_for(|served| *served >= wanted);
        let left = until.saturating_duration_since(Instant::now());
        runtime::timeout(left, async { drop(done.await) }).await;
    }
}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Topology");
        match &*self.view.borrow() {
            View::Looking => f.field("view", &"looking"),
            View::Known(table) => f.field("nodes", &table.nodes),
            View::Nowhere(because) => f.field("nowhere", because),
        };
        f.field("name", &self.common.name).finish_non_exhaustive()
    }
}

/// What a server knows of the cluster.
struct Part {
    place: Place,
    mark: Arc<Mark>,
    topology: Weak<Topology>,
}

impl Whole for Part {
    fn is_here(&self, name: &str) -> bool {
        let table = self.topology.upgrade().and_then(|topology| topology.known());
        table.is_some_and(|table| table.map.place_of(slot(name)) == Some(&self.place))
    }

    fn look(&self) {
        if let Some(topology) = self.topology.upgrade() {
            topology.look();
        }
    }

    fn met(&self, run: &str, history: &str) {
        if self.mark.meet(run, history) {
            self.look();
        }
    }

    fn hand_on(&self, calls: Vec<Call>) {
        if let Some(topology) = self.topology.upgrade().filter(|_| !calls.is_empty()) {
            topology.owed.lock().extend(calls);
            topology.look();
        }
    }
}
