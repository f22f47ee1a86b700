//! Going through the names of all nodes, one node after another.
//!
//! - Where a step left off is told by the map, the node, and that node's own cursor.
//! - When slots have moved meanwhile, names may have gone from a node that was still to come to one
//!   that is done: it all begins anew, so that none is missed.

use std::time::Instant;

use redis::{Pipeline, Value};

use super::topology::{Node, Table, Topology};
use crate::error::Error;
use crate::runtime;
use crate::store::redis::fault;
use crate::store::redis::link::Step;
use crate::store::redis::server::step;

/// How often it begins anew.
const TIMES: u32 = 20;

/// Where a scan is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursor {
    /// How often it has begun anew.
    times: u32,
    /// The fingerprint of the map it goes by.
    map: u64,
    /// Which of the map's places it is at.
    node: usize,
    /// That node's cursor.
    at: String,
}

impl Cursor {
    fn start(table: &Table, times: u32) -> Self {
        Self { times, map: table.map.fingerprint(), node: 0, at: "0".to_owned() }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let times = parts.next()?.parse().ok()?;
        let map = u64::from_str_radix(parts.next()?, 16).ok()?;
        let node = parts.next()?.parse().ok()?;
        let at = parts.next()?.parse::<u64>().ok()?.to_string();
        Some(Self { times, map, node, at })
    }

    fn text(&self) -> String {
        let Self { times, map, node, at } = self;
        format!("{times}-{map:x}-{node}-{at}")
    }
}

const OPERATION: &str = "scan";

impl Topology {
    pub(super) async fn scan(
        &self,
        pattern: String,
        from: Option<&str>,
        count: usize,
    ) -> Result<Step, Error> {
        let until = runtime::after(self.settings.timeout);
        let table = self.table(OPERATION, until).await?;
        let cursor = match from {
            None => Cursor::start(&table, 0),
            Some(text) => Cursor::read(text).ok_or_else(|| {
                fault::unavailable(OPERATION, &self.common.name, "where to go on makes no sense")
            })?,
        };
        let cursor = self.still_right(cursor, &table)?;
        let Some(node) = table.nodes.get(cursor.node) else {
            return Ok(Step { names: Vec::new(), next: None });
        };
        let Step { names, next } = self.scan_node(node, &pattern, &cursor.at, count, until).await?;
        let next = match next {
            Some(at) => Some(Cursor { at, ..cursor }),
            None if cursor.node + 1 < table.nodes.len() => {
                Some(Cursor { node: cursor.node + 1, at: "0".to_owned(), ..cursor })
            }
            None => self.end(cursor, until).await?,
        };
        Ok(Step { names, next: next.map(|cursor| cursor.text()) })
    }

    /// The cursor, or the beginning if slots have moved.
    fn still_right(&self, cursor: Cursor, table: &Table) -> Result<Cursor, Error> {
        if cursor.map == table.map.fingerprint() {
            return Ok(cursor);
        }
        if cursor.times >= TIMES {
            let because = "slots are being moved all the time; try again when that is over";
            return Err(fault::unavailable(OPERATION, &self.common.name, because));
        }
        Ok(Cursor::start(table, cursor.times + 1))
    }

    /// At the end only the nodes can say whether slots have moved.
    async fn end(&self, cursor: Cursor, until: Instant) -> Result<Option<Cursor>, Error> {
        self.look_again(until).await;
        let table = self.table(OPERATION, until).await?;
        let now = self.still_right(cursor.clone(), &table)?;
        Ok((now != cursor).then_some(now))
    }

    async fn scan_node(
        &self,
        node: &Node,
        pattern: &str,
        at: &str,
        count: usize,
        until: Instant,
    ) -> Result<Step, Error> {
        let mut command = Pipeline::new();
        command.cmd("SCAN").arg(at).arg("MATCH").arg(pattern);
        command.arg("COUNT").arg(count).arg("TYPE").arg("string");
        let at_most = until.saturating_duration_since(Instant::now());
        let reply = node.server.send(OPERATION, &command, true, at_most).await?.pop();
        let reply = fault::checked(OPERATION, &self.common.name, reply.unwrap_or(Value::Nil))?;
        step(reply).ok_or_else(|| fault::garbled(OPERATION, &self.common.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_is_read_back() {
        let cursor = Cursor { times: 3, map: u64::MAX, node: 2, at: "123".to_owned() };
        assert_eq!(Cursor::read(&cursor.text()), Some(cursor));
        for wrong in ["", "0", "0-0-0-", "x-0-0-1", "0-g-0-1", "0-0-0-a", "-1-0-0-1"] {
            assert_eq!(Cursor::read(wrong), None, "{wrong}");
        }
    }
}
