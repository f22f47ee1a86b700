//! Reading records from a replica, and all that decides from the primary.
//!
//! In one round trip the primary is asked for leases, generations and the first bytes of each record,
//! and a replica for the records. The first bytes hold what makes a record what it is, its random id,
//! and all that can change while it keeps that, its life: so what a replica shows is taken only if it
//! is what the primary has now, and a read by a replica is worth as much as one by the primary. That
//! was asked for the record by name, so it registers the reader for it.
//!
//! - What the replica lacks, or has an older one of, is read from the primary once more.
//! - A replica that does not answer in a fraction of the timeout is not waited for, and is passed over
//!   until it does.

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value, cmd};

use super::asking::{mget, texts};
use super::replicas::Replica;
use super::{Shared, fault};
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::store::redis::names;

/// How many bytes of each record the primary is asked for: more than the part of a header that a
/// touch changes, so that what is small comes as a whole.
const HEAD: usize = 256;

/// Asks for the first bytes of what is under a name.
pub(in crate::store::redis) fn head(name: &str) -> Cmd {
    let mut command = cmd("GETRANGE");
    command.arg(name).arg(0).arg(HEAD - 1);
    command
}

/// Whether the first bytes are all there are; `None` is what is no text.
pub(in crate::store::redis) fn is_whole(head: Option<&Bytes>) -> bool {
    head.is_none_or(|head| (1..HEAD).contains(&head.len()))
}

/// What is known of what is under a name.
pub(in crate::store::redis) enum Judged {
    /// This is there; `None` is nothing, or no text.
    Is(Option<Bytes>),
    /// Only the primary can say.
    Unknown,
}

/// What is there, by the first bytes that the primary has and what a replica shows.
pub(in crate::store::redis) fn judge(head: Option<Bytes>, shown: Option<Bytes>) -> Judged {
    match (head, shown) {
        (head, _) if is_whole(head.as_ref()) => Judged::Is(head),
        // Nothing is there, unless it is an empty text that the replica has not seen yet.
        (Some(head), None) if head.is_empty() => Judged::Is(None),
        (Some(head), Some(text)) if !head.is_empty() && text.starts_with(&head) => {
            Judged::Is(Some(text))
        }
        _ => Judged::Unknown,
    }
}

impl Shared {
    /// What stands under each name, records from this replica where that can be.
    pub(super) async fn read_apart(
        &self,
        replica: &Replica,
        names: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let timeout = self.settings.timeout;
        let reading = runtime::timeout(timeout, self.read_both(replica, names));
        reading.await.unwrap_or_else(|| {
            let message = format!("no answer within {timeout:?}");
            Err(Error::new(ErrorKind::Timeout, "load", message).with("store", &self.common.name))
        })
    }

    async fn read_both(
        &self,
        replica: &Replica,
        names: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let at = |is_record| {
            (0..names.len()).filter(move |&at| names::is_record(&names[at]) == is_record)
        };
        let (records, rest): (Vec<_>, Vec<_>) = (at(true).collect(), at(false).collect());
        let Some(mut connection) = replica.connection().filter(|_| !records.is_empty()) else {
            return self.read(names, self.settings.timeout).await;
        };
        let question = mget(records.iter().map(|&at| &names[at]).collect::<Vec<_>>());
        let at_most = self.settings.timeout;
        // Within a time, since a connection that is cut without a word keeps it for very long.
        let shown = runtime::background().spawn(async move {
            runtime::timeout(at_most, connection.send_packed_command(&question)).await
        });
        let (mut found, heads) = self.ask_heads(names, &records, &rest).await?;
        let mut again = Vec::new();
        if heads.iter().all(|head| is_whole(head.as_ref())) {
            records.into_iter().zip(heads).for_each(|(at, head)| found[at] = head);
            return Ok(found);
        }
        let shown = match runtime::timeout(self.settings.timeout / 4, shown).await {
            Some(Ok(Some(Ok(reply)))) => texts(reply).filter(|texts| texts.len() == records.len()),
            _ => None,
        };
        let shown = shown.unwrap_or_else(|| {
            replica.is_in_doubt();
            vec![Some(Bytes::new()); records.len()]
        });
        for ((at, head), shown) in records.into_iter().zip(heads).zip(shown) {
            match judge(head, shown) {
                Judged::Is(text) => found[at] = text,
                Judged::Unknown => again.push(at),
            }
        }
        if !again.is_empty() {
            let asked: Vec<_> = again.iter().map(|&at| names[at].clone()).collect();
            let texts = self.read(&asked, self.settings.timeout).await?;
            again.into_iter().zip(texts).for_each(|(at, text)| found[at] = text);
        }
        Ok(found)
    }

    /// All but the records, in their places among the names, and the first bytes of each record:
    /// empty where nothing is, `None` where something is that is no text.
    #[allow(clippy::type_complexity)] // which has no name but here
    async fn ask_heads(
        &self,
        names: &[String],
        records: &[usize],
        rest: &[usize],
    ) -> Result<(Vec<Option<Bytes>>, Vec<Option<Bytes>>), Error> {
        let mut questions = Pipeline::with_capacity(1 + records.len());
        if !rest.is_empty() {
            questions.add_command(mget(rest.iter().map(|&at| &names[at]).collect::<Vec<_>>()));
        }
        for &at in records {
            questions.add_command(head(&names[at]));
        }
        let count = questions.len();
        let send = |mut connection: MultiplexedConnection| {
            let questions = &questions;
            async move { connection.send_packed_commands(questions, 0, count).await }
        };
        let replies = self.exchange("load", true, self.settings.timeout, send).await?;
        let garbled = || fault::garbled("load", &self.common.name);
        if replies.len() != count {
            return Err(garbled());
        }
        let mut replies = replies.into_iter();
        let mut found = vec![None; names.len()];
        if !rest.is_empty() {
            let reply = replies.next().unwrap_or(Value::Nil);
            let reply = fault::checked("load", &self.common.name, reply)
                .inspect_err(|_| self.poked.notify_one())?;
            let texts =
                texts(reply).filter(|texts| texts.len() == rest.len()).ok_or_else(garbled)?;
            rest.iter().zip(texts).for_each(|(&at, text)| found[at] = text);
        }
        let head = |reply| match reply {
            Value::BulkString(text) => Ok(Some(Bytes::from(text))),
            Value::ServerError(error) if error.code() == "WRONGTYPE" => Ok(None),
            reply => fault::checked("load", &self.common.name, reply)
                .inspect_err(|_| self.poked.notify_one())
                .and_then(|_| Err(garbled())),
        };
        Ok((found, replies.map(head).collect::<Result<_, _>>()?))
    }
}
