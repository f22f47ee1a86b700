//! What is asked over a [wire](super::wire), and whom each reply is for.
//!
//! - Replies come in the order of the commands, pushes at any place between them; all are taken strictly
//!   as they come. So what is [known](Known) when a reply is taken was current when the server gave it.
//! - What is known is not asked for. Otherwise a reader sends three commands: `CLIENT CACHING YES`,
//!   `MGET` of the scopes, of which the server then tells when they change, and `MGET` of the rest, of
//!   which it does not.
//! - A server that refuses the first of these tells of nothing: from then on everything is asked for.

use std::collections::VecDeque;
use std::io;
use std::iter::once;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::known::{Known, Recalled};
use super::reply::{self, Reply};
use crate::store::redis::names::is_of_scopes;

/// What stands under each of several names.
pub(super) type Texts = Vec<Option<Bytes>>;

/// Those who wait for replies.
pub(super) struct Turns {
    /// In the order of their commands.
    waiting: VecDeque<Turn>,
    /// `None` where the server tells of no changes.
    known: Option<Known>,
    /// How often it was looked who waits.
    looks: u64,
}

/// After how many looks a reader came.
#[derive(Clone, Copy)]
pub(super) struct Since(u64);

/// A reader that waits.
struct Turn {
    told: oneshot::Sender<Answer>,
    came: Since,
    /// What is replied to before that which is asked for in any case.
    fetch: Option<Box<Fetch>>,
}

/// Generations and eras that are asked for with the promise to tell when they change.
struct Fetch {
    names: Vec<Box<str>>,
    /// Whether the server has given that promise, once it has replied to that.
    is_promised: Option<bool>,
    /// What stands there, once it has replied to that.
    texts: Option<Reply>,
}

/// What a reader is told.
pub(super) struct Answer {
    /// The reply to the last of its commands.
    last: Reply,
    /// What was fetched before.
    fetched: Option<Reply>,
    /// Of [`Known`], when the reply was taken.
    changes: Option<u64>,
    pub(super) came: Since,
}

impl Turns {
    pub(super) fn new(is_tracking: bool) -> Self {
        Self { waiting: VecDeque::new(), known: is_tracking.then(Known::default), looks: 0 }
    }

    /// How many readers wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Looks who waits; how many looks the one has seen that has waited longest, with this one.
    pub(super) fn look(&mut self) -> Option<u64> {
        self.looks += 1;
        self.waiting.iter().map(|turn| self.looks - turn.came.0).max()
    }

    /// What stands under those of these names that are of scopes, if that is known of all.
    pub(super) fn recall(&self, names: &[String]) -> Option<Recalled> {
        let (content, scopes) = apart(names);
        self.known.as_ref()?.recall(scopes, content.len())
    }

    /// Writes what is to be asked and takes a turn for it; what is known, if that is not asked for. Who asks
    /// `again` asks for all, and has waited since then.
    pub(super) fn ask(
        &mut self,
        out: &mut Vec<u8>,
        names: &[String],
        again: Option<Since>,
        told: oneshot::Sender<Answer>,
    ) -> Option<Recalled> {
        let came = again.unwrap_or(Since(self.looks));
        let (content, scopes) = apart(names);
        // Where only scopes are asked for, nothing would be left to ask.
        let known = self.known.as_ref().filter(|_| !content.is_empty());
        let Some(known) = known else {
            mget(out, names);
            self.waiting.push_back(Turn { told, came, fetch: None });
            return None;
        };
        let recalled = if again.is_none() { known.recall(scopes, content.len()) } else { None };
        let fetch = recalled.is_none().then(|| {
            reply::command(out, 3, ["CLIENT", "CACHING", "YES"].into_iter());
            mget(out, scopes);
            let names = scopes.iter().map(|name| name.as_str().into()).collect();
            Box::new(Fetch { names, is_promised: None, texts: None })
        });
        mget(out, content);
        self.waiting.push_back(Turn { told, came, fetch });
        recalled
    }

    /// Takes a reply or a push; whom to tell what, if a reader has all that it waits for.
    ///
    /// # Errors
    ///
    /// If nobody waits for it.
    pub(super) fn take(
        &mut self,
        reply: Reply,
    ) -> io::Result<Option<(oneshot::Sender<Answer>, Answer)>> {
        if let Reply::Changed(changed) = reply {
            if let Some(known) = &mut self.known {
                known.forget(&changed);
            }
            return Ok(None);
        }
        let turn = self.waiting.front_mut().ok_or(io::ErrorKind::InvalidData)?;
        if let Some(fetch) = turn.fetch.as_mut().filter(|fetch| fetch.texts.is_none()) {
            fetch.take(reply, &mut self.known);
            return Ok(None);
        }
        let changes = self.known.as_ref().map(Known::changes);
        Ok(self.waiting.pop_front().map(|Turn { told, came, fetch }| {
            let fetched = fetch.and_then(|fetch| fetch.texts);
            (told, Answer { last: reply, fetched, changes, came })
        }))
    }
}

impl Fetch {
    fn take(&mut self, reply: Reply, known: &mut Option<Known>) {
        match self.is_promised {
            None => {
                let is_promised = reply == Reply::Done;
                self.is_promised = Some(is_promised);
                if !is_promised {
                    *known = None;
                }
            }
            Some(is_promised) => {
                if let (true, Some(known), Reply::Texts(texts)) = (is_promised, known, &reply) {
                    known.learn(&self.names, texts);
                }
                self.texts = Some(reply);
            }
        }
    }
}

impl Answer {
    /// Whether nothing was said to have changed between then and this answer.
    pub(super) fn is_as_of(&self, then: &Recalled) -> bool {
        self.changes == Some(then.changes)
    }

    /// What stands under each of so many names, where so much was known of scopes; `None` if the server
    /// refuses.
    pub(super) fn texts(self, count: usize, known: Option<Texts>) -> Option<Texts> {
        let Reply::Texts(content) = self.last else { return None };
        let mut texts = match (known, self.fetched) {
            (Some(scopes), _) | (None, Some(Reply::Texts(scopes))) => scopes,
            (None, None) => Texts::new(),
            (None, Some(_)) => return None,
        };
        texts.splice(..0, content);
        (texts.len() == count).then_some(texts)
    }
}

/// The names of records and leases, and those of scopes, which follow them.
fn apart(names: &[String]) -> (&[String], &[String]) {
    let content = names.iter().take_while(|name| !is_of_scopes(name)).count();
    names.split_at(content)
}

fn mget(out: &mut Vec<u8>, names: &[String]) {
    reply::command(out, names.len() + 1, once("MGET").chain(names.iter().map(String::as_str)));
}
