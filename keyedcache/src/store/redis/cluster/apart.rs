//! Reading records from replicas, and all that decides from primaries, as on
//! [one server](crate::store::redis::server::judge).
//!
//! - What a replica shows counts only if its first bytes are those that the primary of its slot has
//!   now. So it does not matter whose replica it is by then, how far it lags, or whether it has been
//!   promoted: at worst it shows nothing that counts.
//! - What does not count is read from the primary once more. All else follows redirections as ever.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis::{Pipeline, RedisResult, Value, cmd};
use tokio::task::JoinHandle;

use super::reading::{Found, Numbered, OPERATION, by_slot, whole};
use super::request::{Request, What};
use super::topology::{Table, Topology};
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::store::redis::names;
use crate::store::redis::server::{Judged, Replica, is_whole, judge};

/// What one replica is asked for.
struct Asked {
    replica: Arc<Replica>,
    /// A read of each slot, and where what it shows belongs.
    questions: Pipeline,
    at: Vec<Vec<usize>>,
}

/// What one replica was asked for, and its answer to come.
struct Answering {
    replica: Arc<Replica>,
    at: Vec<Vec<usize>>,
    /// `None` if it did not come in time.
    answer: JoinHandle<Option<RedisResult<Vec<Value>>>>,
}

impl Topology {
    /// Reads names, records from replicas where that can be.
    pub(super) async fn read_apart(
        &self,
        names: Vec<Numbered>,
        found: &mut Found,
    ) -> Result<(), Error> {
        let timeout = self.settings.timeout;
        let reading = runtime::timeout(timeout, self.read_both(names, found));
        reading.await.unwrap_or_else(|| {
            let message = format!("no answer within {timeout:?}");
            Err(Error::new(ErrorKind::Timeout, OPERATION, message).with("store", &self.common.name))
        })
    }

    async fn read_both(&self, names: Vec<Numbered>, found: &mut Found) -> Result<(), Error> {
        let table = self.table(OPERATION, runtime::after(self.settings.timeout)).await?;
        let (records, rest): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|(_, name)| names::is_record(name));
        let (asked, apart, alone) = choose(&table, records);
        let heads = apart.iter().cloned().map(|(slot, (at, name))| {
            let head = What::Head { at, name };
            Request::new(slot, head)
        });
        let requests = whole(rest.into_iter().chain(alone)).into_iter().chain(heads).collect();
        let ask = |asked: Asked| asked.ask(self.settings.timeout);
        let answering: Vec<_> = asked.into_iter().map(ask).collect();
        self.ask_into(requests, found).await?;

        let heads = std::mem::take(&mut found.heads);
        let mut shown = vec![None; found.texts.len()];
        if !heads.iter().all(|(_, head)| is_whole(head.as_ref())) {
            let until = runtime::after(self.settings.timeout / 4);
            for answering in answering {
                answering.take(until, &mut shown).await;
            }
        }
        let mut again = HashSet::new();
        for (at, head) in heads {
            match judge(head, shown[at].take()) {
                Judged::Is(text) => found.texts[at] = text,
                Judged::Unknown => _ = again.insert(at),
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        let again = apart.into_iter().map(|(_, name)| name).filter(|(at, _)| again.contains(at));
        self.ask_into(whole(again), found).await
    }
}

/// What is asked of which replica, one for each node; of which records, with their slots; and the
/// records of nodes that have none that can be asked.
fn choose(
    table: &Table,
    records: Vec<Numbered>,
) -> (Vec<Asked>, Vec<(u16, Numbered)>, Vec<Numbered>) {
    let (mut asked, mut apart, mut alone) = (Vec::<Asked>::new(), Vec::new(), Vec::new());
    let mut of: HashMap<usize, Option<usize>> = HashMap::new();
    for (slot, names) in by_slot(records) {
        let replica = table.map.owner(slot).and_then(|node| {
            *of.entry(node).or_insert_with(|| {
                let replica = table.nodes[node].server.replica()?;
                asked.push(Asked { replica, questions: Pipeline::new(), at: Vec::new() });
                Some(asked.len() - 1)
            })
        });
        let Some(replica) = replica else {
            alone.extend(names);
            continue;
        };
        let mut question = cmd("MGET");
        for (_, name) in &names {
            question.arg(name);
        }
        asked[replica].questions.add_command(question);
        asked[replica].at.push(names.iter().map(|(at, _)| *at).collect());
        apart.extend(names.into_iter().map(|name| (slot, name)));
    }
    (asked, apart, alone)
}

impl Asked {
    /// Within a time, since a connection that is cut without a word keeps a question for very long.
    fn ask(self, at_most: Duration) -> Answering {
        let Self { replica, questions, at } = self;
        let connection = replica.connection();
        let answer = runtime::background().spawn(async move {
            let Some(mut connection) = connection else { return Some(Ok(Vec::new())) };
            let asking = connection.send_packed_commands(&questions, 0, questions.len());
            runtime::timeout(at_most, asking).await
        });
        Answering { replica, at, answer }
    }
}

impl Answering {
    /// Puts what it shows in its places, or nothing that could count.
    async fn take(self, until: Instant, shown: &mut [Option<Bytes>]) {
        let Self { replica, at, answer } = self;
        at.iter().flatten().for_each(|&at| shown[at] = Some(Bytes::new()));
        let at_most = until.saturating_duration_since(Instant::now());
        let Some(Ok(Some(Ok(replies)))) = runtime::timeout(at_most, answer).await else {
            replica.is_in_doubt();
            return;
        };
        for (at, reply) in at.into_iter().zip(replies) {
            // Another slot may be another's by now, and it says so.
            let Value::Array(texts) = reply else { continue };
            for (at, text) in at.into_iter().zip(texts) {
                shown[at] = match text {
                    Value::BulkString(text) => Some(Bytes::from(text)),
                    _ => None,
                };
            }
        }
    }
}
