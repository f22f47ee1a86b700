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

/// A reader that waits.
struct Turn {
    told: oneshot::Sender<Answer>,
    /// After how many looks it came.
    came: u64,
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
        self.waiting.front().map(|turn| self.looks - turn.came)
    }

    /// What stands under those of the names that are of scopes, if that is known of all.
    pub(super) fn recall(&self, names: &[String]) -> Option<Recalled> {
        self.known.as_ref()?.recall(names)
    }

    /// Writes what is to be asked and takes a turn for it; what is known, if that is not asked for.
    pub(super) fn ask(
        &mut self,
        out: &mut Vec<u8>,
        names: &[String],
        may_recall: bool,
        told: oneshot::Sender<Answer>,
    ) -> Option<Recalled> {
        let (all, came) = (names.iter().map(String::as_str), self.looks);
        // Where only scopes are asked for, nothing would be left to ask.
        let known = self.known.as_ref().filter(|_| all.clone().next().is_some_and(is_content));
        let Some(known) = known else {
            mget(out, all);
            self.waiting.push_back(Turn { told, came, fetch: None });
            return None;
        };
        let recalled = if may_recall { known.recall(names) } else { None };
        let fetch = recalled.is_none().then(|| {
            let scopes = all.clone().filter(|name| is_of_scopes(name));
            reply::command(out, 3, ["CLIENT", "CACHING", "YES"].into_iter());
            mget(out, scopes.clone());
            Box::new(Fetch {
                names: scopes.map(Box::from).collect(),
                is_promised: None,
                texts: None,
            })
        });
        mget(out, all.filter(|name| is_content(name)));
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
        Ok(self.waiting.pop_front().map(|Turn { told, fetch, .. }| {
            (told, Answer { last: reply, fetched: fetch.and_then(|fetch| fetch.texts), changes })
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

    /// What stands under each of the names, where so much was known; `None` if the server refuses.
    pub(super) fn texts(self, names: &[String], known: Option<Texts>) -> Option<Texts> {
        let Reply::Texts(last) = self.last else { return None };
        let mut texts = match (known, self.fetched) {
            (Some(known), _) => known,
            (None, None) => return (last.len() == names.len()).then_some(last),
            (None, Some(Reply::Texts(scopes))) => {
                let mut texts = vec![None; names.len()];
                fill_in(&mut texts, names, is_of_scopes, scopes)?;
                texts
            }
            (None, Some(_)) => return None,
        };
        fill_in(&mut texts, names, is_content, last)?;
        Some(texts)
    }
}

/// Puts these in the places of such names; `None` if there are more or fewer.
fn fill_in(
    texts: &mut Texts,
    names: &[String],
    is_such: fn(&str) -> bool,
    such: Texts,
) -> Option<()> {
    let mut such = such.into_iter();
    for (text, _) in texts.iter_mut().zip(names).filter(|(_, name)| is_such(name)) {
        *text = such.next()?;
    }
    such.next().is_none().then_some(())
}

fn is_content(name: &str) -> bool {
    !is_of_scopes(name)
}

fn mget<'a>(out: &mut Vec<u8>, names: impl Iterator<Item = &'a str> + Clone) {
    reply::command(out, names.clone().count() + 1, once("MGET").chain(names));
}
