//! Keeps the map up to date, and hands over what must not be lost when slots get another owner.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::map::Map;
use super::super::request::{Request, What};
use super::{Node, Table, Topology, VISIT, View};
use crate::runtime;
use crate::store::redis::script::Call;
use crate::store::redis::slots::{SLOTS, slot};

/// How long nodes are left alone while nothing is amiss, and while something is.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(200));

/// How long they are left alone whatever happens.
const REST: Duration = Duration::from_millis(5);

/// How many calls are handed over, or paid, at once.
const AT_ONCE: usize = 2000;

/// How often what is struck while slots get another owner is sent there before they are asked for
/// there: as long as there is more.
const CAUGHT_UP: usize = 3;

/// Runs until it is dropped.
pub(in super::super) async fn run(topology: Arc<Topology>) {
    loop {
        let wanted = topology.wanted.load(Ordering::Acquire);
        let is_well = match topology.find().await {
            Ok(map) => topology.follow(map).await,
            Err(because) => {
                topology.is_nowhere(&because);
                false
            }
        };
        topology.served.send_replace(wanted);
        runtime::sleep(REST).await;
        let interval = if is_well { INTERVAL.0 } else { INTERVAL.1 };
        runtime::timeout(interval, topology.news.notified()).await;
    }
}

impl Topology {
    /// Callers are to be told so at once, unless something was known: that is still tried.
    fn is_nowhere(&self, because: &str) {
        let is_new = self.view.send_if_modified(|view| {
            let is_new = match view {
                View::Looking => true,
                View::Known(_) => false,
                View::Nowhere(before) => **before != *because,
            };
            if is_new {
                *view = View::Nowhere(because.into());
            }
            is_new
        });
        if is_new {
            tracing::warn!(target: "keyedcache", store = &*self.common.name, because, "no node found");
        }
    }

    /// Goes by another map from now on; says whether all is well.
    async fn follow(&self, found: Map) -> bool {
        let Some(old) = self.known() else {
            let is_whole = found.is_whole();
            let table = self.table_of(found, None);
            let is_settled = self.settle(&table).await;
            self.view.send_replace(View::Known(Arc::new(table)));
            return is_whole && is_settled;
        };
        if found != old.map {
            self.change(&found, &old).await;
        }
        self.say_goodbye();
        let is_paid = self.pay().await;
        let Some(now) = self.known() else { return false };
        let is_settled = self.settle(&now).await;
        let are_up = now.nodes.iter().all(|node| node.server.is_up());
        is_paid && is_settled && are_up && found == now.map && found.is_whole()
    }

    /// Goes by another map, as far as what must not be lost is handed over.
    async fn change(&self, found: &Map, old: &Table) {
        let began = Instant::now();
        let map = found.clone().after(&old.map, |_| false);
        let is_same = |slot| old.map.place_of(slot) == map.place_of(slot);
        let moved: HashSet<u16> = (0..SLOTS).filter(|slot| !is_same(*slot)).collect();
        if moved.is_empty() {
            return;
        }
        let table = self.table_of(map, Some(old));
        let kept = self.hand_over(&table, &moved).await;
        if kept.len() == moved.len() {
            return; // until the new owners can be reached
        }
        let moved: HashSet<u16> = moved.difference(&kept).copied().collect();
        let map = table.map.clone().after(&old.map, |slot| kept.contains(&slot));
        let new = self.table_of(map, Some(&table));
        // So that what counts in eras is found again at once by the new table.
        self.settle(&new).await;
        self.part(old, &new);
        let mut owed = Vec::new();
        let since = self.catch_up(&new, &moved, began, &mut owed).await;
        self.publish(Arc::new(new), moved.len());
        // Those that were sent by the old map meanwhile.
        owed.extend(self.struck_since(since, &moved));
        self.owed.lock().extend(owed);
    }

    /// Sends what was struck of these slots by the old map since they were handed over, and may have
    /// been acknowledged by who is to serve them no more, before anybody asks for it by this table.
    /// Says from when on there may be more; what was not done is owed.
    async fn catch_up(
        &self,
        table: &Table,
        moved: &HashSet<u16>,
        mut since: Instant,
        owed: &mut Vec<Call>,
    ) -> Instant {
        for _ in 0..CAUGHT_UP {
            let now = Instant::now();
            let calls = self.struck_since(since, moved);
            if calls.is_empty() || !owed.is_empty() {
                break;
            }
            owed.extend(self.send_in_parts(table, calls).await);
            since = now;
        }
        since
    }

    /// What sends again what this process struck of these slots since then.
    fn struck_since(&self, since: Instant, slots: &HashSet<u16>) -> Vec<Call> {
        let calls = self.common.sent.again_since(Some(since)).into_iter();
        calls.filter(|call| slots.contains(&slot(call.key()))).collect()
    }

    fn publish(&self, table: Arc<Table>, moved: usize) {
        tracing::info!(target: "keyedcache", store = &*self.common.name, slots = moved,
            nodes = table.nodes.len(), "slots are served by other nodes");
        {
            // They are in the table now.
            let mut guests = self.guests.lock();
            guests.retain(|place, _| table.node(place).is_none());
        }
        self.view.send_replace(View::Known(table));
        // What near caches hold of these slots is registered where they were.
        self.common.pushed.lost();
    }

    /// The table of a map, with the servers that are there already.
    fn table_of(&self, map: Map, old: Option<&Table>) -> Table {
        let guests = self.guests.lock();
        let node = |place| {
            let old = old.and_then(|old| old.node(place));
            let guest = || guests.get(place).map(|(node, _)| node);
            old.or_else(guest).map_or_else(|| self.start(place), Arc::clone)
        };
        let nodes = map.places().iter().map(node).collect();
        Table { map, nodes }
    }

    /// Sends what was struck of these slots in the last minute to those who serve them now: they may
    /// be replicas that had not heard of it. Says which slots' new owners cannot be reached.
    async fn hand_over(&self, table: &Table, moved: &HashSet<u16>) -> HashSet<u16> {
        let calls = self.common.sent.again().into_iter();
        let calls = calls.filter(|call| moved.contains(&slot(call.key()))).collect();
        let refused = self.send_in_parts(table, calls).await;
        let kept: HashSet<_> = refused.iter().map(|call| slot(call.key())).collect();
        if kept.is_empty() {
            return kept;
        }
        // All or none of what one node takes over: others of its slots are as unreachable.
        let owners: HashSet<_> = kept.iter().map(|slot| table.map.owner(*slot)).collect();
        moved.iter().copied().filter(|slot| owners.contains(&table.map.owner(*slot))).collect()
    }

    /// The same of any number of calls: so many at once as can be answered in time.
    async fn send_in_parts(&self, table: &Table, mut calls: Vec<Call>) -> Vec<Call> {
        let mut refused = Vec::new();
        while !calls.is_empty() {
            let some = calls.split_off(calls.len().saturating_sub(AT_ONCE));
            refused.extend(self.send_by(table, some).await);
        }
        refused
    }

    /// Sends calls to whom this table says; answers those that were not done.
    async fn send_by(&self, table: &Table, calls: Vec<Call>) -> Vec<Call> {
        let requests = calls.into_iter().enumerate().map(|(at, call)| {
            Request::new(slot(call.key()), What::Call { at, call, by_text: true })
        });
        let mut refused = Vec::new();
        for (what, answer) in self.send_once("invalidate", table, requests.collect()).await {
            if let (What::Call { call, .. }, Err(_)) = (what, answer) {
                refused.push(call);
            }
        }
        refused
    }

    /// Sends what is owed, wherever it belongs by now; says whether nothing is owed any more.
    async fn pay(&self) -> bool {
        let Some(table) = self.known() else { return false };
        let owed = std::mem::take(&mut *self.owed.lock());
        if owed.is_empty() {
            return true;
        }
        let refused = self.send_in_parts(&table, owed).await;
        let is_paid = refused.is_empty();
        self.owed.lock().extend(refused);
        is_paid
    }

    /// Gives up nodes that slots were on their way to, and did not come.
    fn say_goodbye(&self) {
        let is_over = |(_, asked): &(Arc<Node>, Instant)| asked.elapsed() > VISIT;
        let mut guests = self.guests.lock();
        let before = guests.len();
        guests.retain(|_, guest| !is_over(guest));
        let has_gone = guests.len() < before;
        drop(guests);
        if has_gone {
            self.common.pushed.lost();
        }
    }
}
