//! Eras: everything is missing once a primary's data may lack what was acknowledged.
//!
//! The era of each share of the slots is 16 random bytes, and after them the *marks* of the primaries
//! whose data it is of: a mark stands for one run of a server and one history of its data.
//!
//! - An era counts for a reader only if it has the marks of all primaries that this process goes by
//!   and has met. A server is met before it is asked anything, so whoever uses one that took over, or was
//!   started anew, finds nothing of before, whatever has been done about it by then and by whom.
//! - Marks alone decide, so all processes come to the same: where one comes while all that are known
//!   stand, slots are moved to a new primary, and nothing is lost. Where one comes and another has
//!   gone, it is in that one's place, and the era begins anew, and so do those of all other shares.
//! - A primary that goes while none comes has been emptied by moving its slots; its mark is taken out, or
//!   the next one to come would be taken for its successor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use redis::{Pipeline, Value};

use super::request::{Request, What};
use super::together::together;
use super::topology::{Node, Table, Topology};
use crate::record::random_bytes;
use crate::store::redis::builder::OnFailover;
use crate::store::redis::script::{ADMIT, Call};
use crate::store::redis::slots::slot;
use crate::store::redis::{copies, names};

const OPERATION: &str = "begin an era";

/// How many bytes of an era come before the marks.
const ERA: usize = 16;

/// Names a run of a server and the history of its data; nothing until it was met.
#[derive(Debug, Default)]
pub(super) struct Mark(AtomicU64);

impl Mark {
    /// Says whether it is another than before.
    pub(super) fn meet(&self, run: &str, history: &str) -> bool {
        let mark = xxhash_rust::xxh3::xxh3_64(format!("{run} {history}").as_bytes()).max(1);
        self.0.swap(mark, Ordering::AcqRel) != mark
    }

    fn bytes(&self) -> Option<[u8; 8]> {
        Some(self.0.load(Ordering::Acquire)).filter(|mark| *mark != 0).map(u64::to_le_bytes)
    }
}

/// What is to be done about eras.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// Somebody has read an era that does not count, and nothing was done about it since.
    is_wanted: AtomicBool,
    /// The marks of primaries that have handed all their slots over.
    left: Mutex<Vec<[u8; 8]>>,
}

impl Topology {
    /// Whether a failover makes everything missing.
    pub(super) fn has_eras(&self) -> bool {
        self.settings.on_failover == OnFailover::Forget
    }

    /// What was read as an era, if it counts. Asked after it was read: then all are met that were
    /// asked for the generations with it.
    pub(super) fn counting(&self, era: Option<Bytes>) -> Option<Bytes> {
        let table = self.known()?;
        let marks = || table.nodes.iter().filter_map(|node| node.mark.bytes());
        let era = era.filter(|era| is_of(era, marks()));
        if era.is_none() && !self.eras.is_wanted.swap(true, Ordering::AcqRel) {
            self.look();
        }
        era
    }

    /// Has each era be of the data of the primaries in this table; says whether all are.
    pub(super) async fn settle(&self, table: &Table) -> bool {
        if !self.has_eras() {
            return true;
        }
        self.meet_all(table).await;
        let (now, away) = table.nodes.iter().partition::<Vec<_>, _>(|node| node.server.is_up());
        let marks = |nodes: &[_]| {
            let marks = nodes.iter().filter_map(|node: &&Arc<Node>| node.mark.bytes());
            marks.collect::<Vec<_>>().concat()
        };
        let (now, away) = (marks(&now), marks(&away));
        if now.is_empty() {
            return false;
        }
        let left = self.eras.left.lock().clone();
        let requests = copies::tags().enumerate().map(|(at, tag)| {
            let call = Call::new(OPERATION, &ADMIT, [names::era(tag)]).arg(random_bytes::<ERA>());
            let call = call.arg(&now).arg(&away).arg(left.concat()).repeatable();
            Request::new(slot(call.key()), What::Call { at, call, by_text: false })
        });
        let (mut is_settled, mut begun, mut is_changed) = (true, 0, false);
        for (_, answer) in self.send_once(OPERATION, table, requests.collect()).await {
            match answer {
                Ok(Value::Int(answer)) => {
                    is_changed |= answer > 0;
                    begun += usize::from(answer > 1);
                }
                _ => is_settled = false,
            }
        }
        if is_changed {
            // Servers do not tell a process of what it does itself.
            self.common.pushed.lost();
        }
        if begun > 0 {
            tracing::warn!(target: "keyedcache", store = &*self.common.name, begun,
                "eras begin: what was stored before them is missing");
        }
        if is_settled {
            self.eras.left.lock().retain(|mark| !left.contains(mark));
        }
        self.eras.is_wanted.store(!is_settled, Ordering::Release);
        is_settled
    }

    /// Waits a little for those that are being connected to.
    async fn meet_all(&self, table: &Table) {
        let mut question = Pipeline::new();
        question.cmd("PING");
        let at_most = self.settings.timeout / 2;
        let strangers = table.nodes.iter().filter(|node| node.mark.bytes().is_none());
        let asked = strangers.map(|node| node.server.send(OPERATION, &question, true, at_most));
        together(asked.collect()).await;
    }

    /// Primaries that have gone from the table, and that nobody came for, have been emptied.
    pub(super) fn part(&self, old: &Table, new: &Table) {
        let has_come = |node: &Arc<Node>| old.node(&node.place).is_none();
        if self.has_eras() && !new.nodes.iter().any(has_come) {
            let gone = old.nodes.iter().filter(|node| new.node(&node.place).is_none());
            self.eras.left.lock().extend(gone.filter_map(|node| node.mark.bytes()));
        }
    }
}

/// Whether an era has all these marks.
fn is_of(era: &[u8], mut marks: impl Iterator<Item = [u8; 8]>) -> bool {
    let Some((_, known)) = era.split_at_checked(ERA) else { return false };
    marks.all(|mark| known.chunks_exact(mark.len()).any(|known| *known == mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn era_is_of_the_primaries_whose_marks_it_has() {
        let [a, b, c] = [1, 2, 3].map(u64::to_le_bytes);
        let era = [[0; ERA].as_slice(), &a, &b].concat();
        assert!(is_of(&era, [a, b].into_iter()) && is_of(&era, [b].into_iter()));
        assert!(!is_of(&era, [a, c].into_iter()));
        assert!(!is_of(&era[..ERA], [a].into_iter()) && !is_of(&era[..3], [].into_iter()));
        assert!(!is_of(&era[..ERA + 7], [a].into_iter()), "half a mark is none");
    }

    #[test]
    fn mark_is_of_run_and_history() {
        let mark = Mark::default();
        assert_eq!(mark.bytes(), None);
        assert!(mark.meet("run", "history") && !mark.meet("run", "history"));
        let before = mark.bytes();
        assert!(mark.meet("run", "another") && mark.bytes() != before);
        assert!(mark.meet("other", "history") && mark.bytes() != before);
    }
}
