//! Getting requests to where they belong, whatever moves meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Pipeline, Value};

use super::request::{Next, Request, What};
use super::together::together;
use super::topology::{Node, Table, Topology};
use crate::error::Error;
use crate::runtime;
use crate::store::redis::fault;

/// The first pause before something is sent again that was refused for now, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(30));

/// What is left of the time when nothing is sent any more.
const LEAST: Duration = Duration::from_millis(10);

/// What was to be done, and the answer.
pub(super) type Done = (What, Result<Value, Error>);

/// Requests for one node.
struct Group {
    node: Arc<Node>,
    requests: Vec<Request>,
}

/// What is still to be sent.
#[derive(Default)]
struct Left {
    requests: Vec<Request>,
    is_moved: bool,
    is_early: bool,
}

impl Topology {
    /// Sends each request to whom its slot belongs, to several nodes at once, and on to where it is
    /// told to, all within the timeout. Answers come in no order.
    pub(super) async fn dispatch(
        &self,
        operation: &'static str,
        requests: Vec<Request>,
    ) -> Vec<Done> {
        let until = runtime::after(self.settings.timeout);
        let mut done = Vec::with_capacity(requests.len());
        let mut left = Left { requests, ..Left::default() };
        let mut pause = PAUSE.0;
        let mut moves = 0;
        loop {
            let table = match self.table(operation, until).await {
                Ok(table) => table,
                Err(error) => {
                    done.extend(failed(left.requests, error));
                    break;
                }
            };
            left = self.round(operation, &table, left.requests, until, &mut done).await;
            if left.requests.is_empty() {
                break;
            }
            if left.is_moved {
                moves += 1;
                self.look_again(until).await;
            }
            // Sent to and fro: nodes do not agree yet.
            if left.is_early || moves > 1 {
                runtime::sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
                pause = (pause * 2).min(PAUSE.1);
            }
            // With no time for an answer, a node would be taken for one that does not give any.
            if until.saturating_duration_since(Instant::now()) < LEAST {
                let slots = "the cluster is moving its slots";
                let error = fault::unavailable(operation, &self.common.name, slots);
                done.extend(failed(left.requests, error));
                break;
            }
        }
        done
    }

    /// Sends each request to whom this table says, and on to where its slot is on the way to: what
    /// is sent elsewhere is not done. For the one who makes tables, and cannot wait for the next.
    pub(super) async fn send_once(
        &self,
        operation: &'static str,
        table: &Table,
        requests: Vec<Request>,
    ) -> Vec<Done> {
        let until = runtime::after(self.settings.timeout);
        let mut done = Vec::with_capacity(requests.len());
        let mut left = Left { requests, ..Left::default() };
        for _ in 0..3 {
            left = self.round(operation, table, left.requests, until, &mut done).await;
        }
        let error = fault::unavailable(operation, &self.common.name, "a slot is elsewhere");
        done.extend(failed(left.requests, error));
        done
    }

    async fn round(
        &self,
        operation: &'static str,
        table: &Table,
        requests: Vec<Request>,
        until: Instant,
        done: &mut Vec<Done>,
    ) -> Left {
        let groups = self.grouped(operation, table, requests, done);
        let asked = groups.into_iter().map(|group| self.ask(operation, group, until));
        let mut left = Left::default();
        for answered in together(asked.collect()).await {
            left.take(answered, done);
        }
        left
    }

    /// Who is to be asked for what. What nobody serves is done.
    fn grouped(
        &self,
        operation: &'static str,
        table: &Table,
        requests: Vec<Request>,
        done: &mut Vec<Done>,
    ) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for request in requests {
            let node = match &request.asking {
                Some(place) => Some(self.guest(table, place)),
                None => table.owner(request.slot).cloned(),
            };
            let Some(node) = node else {
                self.look();
                let error =
                    fault::unavailable(operation, &self.common.name, "nobody serves a slot");
                done.push((request.what, Err(error.with("slot", request.slot))));
                continue;
            };
            match groups.iter_mut().find(|group| Arc::ptr_eq(&group.node, &node)) {
                Some(group) => group.requests.push(request),
                None => groups.push(Group { node, requests: vec![request] }),
            }
        }
        groups
    }

    /// Sends the requests of one node.
    async fn ask(&self, operation: &'static str, group: Group, until: Instant) -> Vec<Next> {
        let done = |requests, error| {
            failed(requests, error).map(|(what, answer)| Next::Done(what, answer)).collect()
        };
        let Group { node, requests } = group;
        let mut commands = Pipeline::with_capacity(requests.len());
        let before: Vec<_> = requests.iter().map(|one| one.add_to(&mut commands)).collect();
        let is_repeatable = requests.iter().all(Request::is_repeatable);
        let at_most = until.saturating_duration_since(Instant::now());
        let sent = node.server.send(operation, &commands, is_repeatable, at_most).await;
        let mut replies = match sent {
            Ok(replies) if replies.len() == commands.len() => replies.into_iter(),
            Ok(_) => return done(requests, fault::garbled(operation, &self.common.name)),
            Err(error) => return done(requests, error),
        };
        let mut next = Vec::with_capacity(requests.len());
        for (request, before) in requests.into_iter().zip(before) {
            if let Some(reply) = replies.nth(before) {
                let one = request.replied(operation, &self.common.name, &node.place, reply);
                if let Next::Elsewhere(_) = one {
                    self.hint(&node.place);
                }
                next.push(one);
            }
        }
        next
    }
}

impl Left {
    fn take(&mut self, answered: Vec<Next>, done: &mut Vec<Done>) {
        for next in answered {
            match next {
                Next::Done(what, answer) => done.push((what, answer)),
                Next::Again(requests) => self.requests.extend(requests),
                Next::Elsewhere(request) => {
                    self.is_moved = true;
                    self.requests.push(request);
                }
                Next::Later(requests) => {
                    self.is_early = true;
                    self.requests.extend(requests);
                }
            }
        }
    }
}

/// None of them is done. Each has the error for itself.
fn failed(requests: Vec<Request>, error: Error) -> impl Iterator<Item = Done> {
    let (kind, operation, text) = (error.kind(), error.operation(), error.to_string());
    let mut first = Some(error);
    requests.into_iter().map(move |one| {
        let error = first.take().unwrap_or_else(|| Error::new(kind, operation, text.clone()));
        (one.what, Err(error))
    })
}
