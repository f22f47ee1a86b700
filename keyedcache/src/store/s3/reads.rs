//! Reads that many callers of this process need at once are sent once: they cost money, and a crowd
//! that finds one value missing would send one each.
//!
//! A caller never gets what was read before it asked: up to [`ABREAST`] reads of an object are under
//! way at a time, and who comes then shares the next one, which is sent when the first of them is
//! done.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::client::{ETag, Got};
use super::inner::Inner;
use crate::error::{Error, ErrorKind};

/// How many reads of one object are under way before others are shared.
const ABREAST: usize = 4;

/// What was read: nothing where there is no object.
pub(super) type Object = Option<(ETag, Bytes)>;
type Answer = Result<Object, (ErrorKind, String)>;

#[derive(Debug, Default)]
pub(super) struct Reads(Mutex<HashMap<String, Queue>>);

#[derive(Debug, Default)]
struct Queue {
    under_way: usize,
    /// Those who share the next.
    waiting: Vec<oneshot::Sender<Answer>>,
}

impl Reads {
    /// What to wait for, or `None` if the caller is to read by itself.
    fn join(&self, name: &str) -> Option<oneshot::Receiver<Answer>> {
        let mut queues = self.0.lock();
        let queue = queues.entry(name.to_owned()).or_default();
        if queue.under_way < ABREAST {
            queue.under_way += 1;
            return None;
        }
        let (tell, told) = oneshot::channel();
        queue.waiting.push(tell);
        Some(told)
    }

    /// One read is done: those for whom the next is to be sent in its place.
    fn done(&self, name: &str) -> Vec<oneshot::Sender<Answer>> {
        let mut queues = self.0.lock();
        let Some(queue) = queues.get_mut(name) else { return Vec::new() };
        let waiting = mem::take(&mut queue.waiting);
        if waiting.is_empty() {
            queue.under_way -= 1;
            if queue.under_way == 0 {
                queues.remove(name);
            }
        }
        waiting
    }
}

impl Inner {
    /// Reads an object, by a request that is sent after this was called.
    pub(super) async fn read_shared(self: &Arc<Self>, name: &str) -> Result<Object, Error> {
        if let Some(told) = self.reads.join(name) {
            let broke_off = |_| Err((ErrorKind::Unavailable, "the request broke off".to_owned()));
            return told.await.unwrap_or_else(broke_off).map_err(|(kind, said)| {
                let message = "a read that others shared failed";
                self.error(kind, "load", message).with_source(said)
            });
        }
        let read = self.read_now(name).await;
        let waiting = self.reads.done(name);
        if !waiting.is_empty() {
            let (inner, name) = (Arc::clone(self), name.to_owned());
            tokio::spawn(async move { inner.read_for(&name, waiting).await });
        }
        read
    }

    /// Reads for those who wait, and for those who come meanwhile, until nobody does.
    async fn read_for(&self, name: &str, mut waiting: Vec<oneshot::Sender<Answer>>) {
        while !waiting.is_empty() {
            let read = self.read_now(name).await;
            let read = read.map_err(|error| (error.kind(), error.to_string()));
            for tell in waiting {
                // One that does not listen any more has no need of it.
                let _ = tell.send(read.clone());
            }
            waiting = self.reads.done(name);
        }
    }

    async fn read_now(&self, name: &str) -> Result<Object, Error> {
        Ok(match self.get(name, None, None, &mut self.patience()).await? {
            Got::Found { etag, body } => Some((etag, body)),
            Got::Absent | Got::Unchanged => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_beyond_those_abreast_share_the_next_and_nothing_is_left_behind() {
        let reads = Reads::default();
        assert!((0..ABREAST).all(|_| reads.join("a").is_none()));
        let shared: Vec<_> = (0..100).map(|_| reads.join("a").expect("to wait for")).collect();
        assert!(reads.join("b").is_none(), "another object");
        assert!(reads.done("b").is_empty());

        let waiting = reads.done("a");
        assert_eq!(waiting.len(), shared.len());
        assert!(reads.join("a").is_some(), "the next is under way");
        assert_eq!(reads.done("a").len(), 1);
        assert!((0..ABREAST).all(|_| reads.done("a").is_empty()));
        assert!(reads.0.lock().is_empty());
    }
}
