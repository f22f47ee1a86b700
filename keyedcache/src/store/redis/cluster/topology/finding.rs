//! Asking nodes who serves what.

use std::time::Duration;

use redis::{AsyncConnectionConfig, ConnectionInfo, Pipeline, Value};

use super::super::map::Map;
use super::super::together::together;
use super::{Node, Topology};
use crate::runtime;
use crate::store::redis::address::Place;
use crate::store::redis::fault;
use crate::store::redis::server::{field, open, text};

/// How many nodes are asked at once.
const ASKED: usize = 5;

/// What one node says.
struct Said {
    map: Map,
    is_serving: bool,
    epoch: u64,
    is_hinted: bool,
}

impl Topology {
    /// What the nodes say that stand in the table, or else those that settings name; why not,
    /// otherwise.
    pub(super) async fn find(&self) -> Result<Map, String> {
        let hinted = self.hinted.lock().take();
        let table = self.known();
        let nodes = table.iter().flat_map(|table| &table.nodes);
        let mut nodes: Vec<_> = nodes.filter(|node| node.server.is_up()).collect();
        nodes.sort_by_key(|node| Some(&node.place) != hinted.as_ref());
        nodes.truncate(ASKED);
        let asked = nodes.into_iter().map(|node| self.ask_node(node, hinted.as_ref()));
        let said = together(asked.collect()).await;
        let best = said.into_iter().flatten().max_by_key(|said| {
            // The map of a node that cannot reach most of the others is an old one.
            (said.is_serving, said.epoch, said.is_hinted)
        });
        match best {
            Some(said) => Ok(said.map),
            None => self.ask_places().await,
        }
    }

    async fn ask_node(&self, node: &Node, hinted: Option<&Place>) -> Option<Said> {
        let at_most = self.settings.timeout / 2;
        let replies = node.server.send("find nodes", &question(), true, at_most).await.ok()?;
        let mut said = understood(replies, &node.place).ok()?;
        said.is_hinted = hinted == Some(&node.place);
        Some(said)
    }

    /// The first answer of the places that settings name, one after the other.
    async fn ask_places(&self) -> Result<Map, String> {
        let address = &self.settings.address;
        let infos = address.infos().map_err(|error| fault::words(&error))?;
        let mut reasons = Vec::new();
        for (place, info) in address.places().iter().zip(infos) {
            let at_most = self.settings.connect_timeout;
            let reason = match runtime::timeout(at_most, self.ask_place(place, info)).await {
                Some(Ok(map)) => return Ok(map),
                Some(Err(reason)) => reason,
                None => format!("no answer within {at_most:?}"),
            };
            reasons.push(format!("{place}: {reason}"));
        }
        Err(reasons.join("; "))
    }

    async fn ask_place(&self, place: &Place, info: ConnectionInfo) -> Result<Map, String> {
        let never: Option<Duration> = None; // the time is limited around this
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(never).set_response_timeout(never);
        let mut connection = open(&self.settings, info)?
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| fault::words(&error))?;
        let question = question();
        let replies = connection.send_packed_commands(&question, 0, question.len()).await;
        understood(replies.map_err(|error| fault::words(&error))?, place).map(|said| said.map)
    }
}

fn question() -> Pipeline {
    let mut question = Pipeline::new();
    question.cmd("CLUSTER").arg("SLOTS");
    question.cmd("CLUSTER").arg("INFO");
    question
}

fn understood(replies: Vec<Value>, place: &Place) -> Result<Said, String> {
    let mut said = Vec::with_capacity(2);
    for reply in replies {
        let checked = fault::checked("find nodes", "", reply);
        // A server that is none of a cluster's says so.
        said.push(checked.map_err(|error| error.to_string())?);
    }
    let nonsense = || "its answer makes no sense".to_owned();
    let [slots, info] = <[Value; 2]>::try_from(said).map_err(|_| nonsense())?;
    let map = Map::read(slots, place).ok_or_else(nonsense)?;
    if map.places().is_empty() {
        return Err("it knows nobody who serves anything".to_owned());
    }
    let info = text(info).unwrap_or_default();
    let epoch = field(&info, "cluster_current_epoch").and_then(|epoch| epoch.parse().ok());
    let is_serving = field(&info, "cluster_state") == Some("ok");
    Ok(Said { map, is_serving, epoch: epoch.unwrap_or_default(), is_hinted: false })
}
