//! What is asked of one server, and what it answers.

use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, Value, cmd};

use super::replicas::Replicas;
use super::{Server, Shared};
use crate::error::Error;
use crate::store::Pending;
use crate::store::redis::fault;
use crate::store::redis::link::{Link, Replies, Step};
use crate::store::redis::script::{Call, is_unknown};

impl Shared {
    /// What stands under each name; registers for all of them.
    pub(super) async fn read(
        &self,
        names: &[String],
        at_most: Duration,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let reply = self.command("load", &mget(names), at_most).await?;
        texts(reply).ok_or_else(|| fault::garbled("load", &self.common.name))
    }

    async fn command(
        &self,
        operation: &'static str,
        command: &Cmd,
        at_most: Duration,
    ) -> Result<Value, Error> {
        let send = |mut connection: MultiplexedConnection| async move {
            connection.send_packed_command(command).await
        };
        let reply = self.exchange(operation, true, at_most, send).await?;
        fault::checked(operation, &self.common.name, reply).inspect_err(|_| self.poked.notify_one())
    }

    async fn call_all(&self, calls: &[Call]) -> Vec<Result<Value, Error>> {
        let Some(first) = calls.first() else { return Vec::new() };
        let is_repeatable = calls.iter().all(|call| call.is_repeatable);
        let send = |mut connection: MultiplexedConnection| async move {
            run_all(&mut connection, calls).await
        };
        match self.exchange(first.operation, is_repeatable, self.settings.timeout, send).await {
            Ok(replies) => calls
                .iter()
                .zip(replies)
                .map(|(call, reply)| fault::checked(call.operation, &self.common.name, reply))
                .inspect(|reply| {
                    // It may be a primary no more.
                    if reply.is_err() {
                        self.poked.notify_one();
                    }
                })
                .collect(),
            Err(error) => {
                let (kind, text) = (error.kind(), error.to_string());
                let others = calls.iter().skip(1);
                let others = others.map(|call| Err(Error::new(kind, call.operation, text.clone())));
                let others: Vec<_> = others.collect();
                std::iter::once(Err(error)).chain(others).collect()
            }
        }
    }
}

/// Calls scripts by their digests, and those that the server does not know by their texts.
pub(super) async fn run_all(
    connection: &mut MultiplexedConnection,
    calls: &[Call],
) -> RedisResult<Vec<Value>> {
    if let [call] = calls {
        let reply = connection.send_packed_command(&call.by_digest()).await?;
        let reply = if is_unknown(&reply) {
            connection.send_packed_command(&call.by_text()).await?
        } else {
            reply
        };
        return Ok(vec![reply]);
    }
    let mut by_digest = Pipeline::with_capacity(calls.len());
    for call in calls {
        by_digest.add_command(call.by_digest());
    }
    let mut replies = connection.send_packed_commands(&by_digest, 0, calls.len()).await?;
    let unknown: Vec<_> = (0..replies.len()).filter(|&at| is_unknown(&replies[at])).collect();
    if unknown.is_empty() {
        return Ok(replies);
    }
    let mut by_text = Pipeline::with_capacity(unknown.len());
    for &at in &unknown {
        by_text.add_command(calls[at].by_text());
    }
    let again = connection.send_packed_commands(&by_text, 0, unknown.len()).await?;
    for (at, reply) in unknown.into_iter().zip(again) {
        replies[at] = reply;
    }
    Ok(replies)
}

pub(super) fn mget<'a>(names: impl IntoIterator<Item = &'a String> + Clone) -> Cmd {
    let (count, bytes) = names
        .clone()
        .into_iter()
        .fold((1, 4), |(count, bytes), name| (count + 1, bytes + name.len()));
    let mut command = Cmd::with_capacity(count, bytes);
    command.arg("MGET");
    for name in names {
        command.arg(name);
    }
    command
}

/// What MGET answers.
pub(super) fn texts(reply: Value) -> Option<Vec<Option<Bytes>>> {
    let Value::Array(texts) = reply else { return None };
    let text = |value| match value {
        Value::BulkString(text) => Some(Bytes::from(text)),
        _ => None,
    };
    Some(texts.into_iter().map(text).collect())
}

impl Link for Server {
    fn read(&self, names: Vec<String>) -> Pending<'_, Vec<Option<Bytes>>> {
        Box::pin(async move {
            match self.shared.replicas.as_ref().and_then(Replicas::next) {
                Some(replica) => self.shared.read_apart(&replica, &names).await,
                None => self.shared.read(&names, self.shared.settings.timeout).await,
            }
        })
    }

    fn glance(&self, names: Vec<String>) -> Pending<'_, Vec<Option<Bytes>>> {
        match &self.shared.replicas {
            Some(_) => self.read(names),
            None => Box::pin(async move { self.shared.glance(&names).await }),
        }
    }

    fn call(&self, calls: Vec<Call>) -> Replies<'_> {
        Box::pin(async move { self.shared.call_all(&calls).await })
    }

    fn unlink(&self, names: Vec<String>) -> Pending<'_, usize> {
        Box::pin(async move {
            let timeout = self.shared.settings.timeout;
            let mut command = cmd("UNLINK");
            command.arg(names);
            match self.shared.command("clear", &command, timeout).await? {
                Value::Int(count) => Ok(usize::try_from(count).unwrap_or_default()),
                _ => Err(fault::garbled("clear", &self.shared.common.name)),
            }
        })
    }

    fn scan<'a>(
        &'a self,
        pattern: String,
        from: Option<&'a str>,
        count: usize,
    ) -> Pending<'a, Step> {
        Box::pin(async move {
            let timeout = self.shared.settings.timeout;
            let mut command = cmd("SCAN");
            command.arg(from.unwrap_or("0")).arg("MATCH").arg(pattern);
            command.arg("COUNT").arg(count).arg("TYPE").arg("string");
            let reply = self.shared.command("scan", &command, timeout).await?;
            step(reply).ok_or_else(|| fault::garbled("scan", &self.shared.common.name))
        })
    }
}

/// What SCAN answers.
pub(in crate::store::redis) fn step(reply: Value) -> Option<Step> {
    let Value::Array(parts) = reply else { return None };
    let [cursor, names] = <[Value; 2]>::try_from(parts).ok()?;
    let (Value::BulkString(cursor), Value::Array(names)) = (cursor, names) else { return None };
    let cursor = String::from_utf8(cursor).ok()?;
    let name = |name| match name {
        Value::BulkString(name) => Some(name),
        _ => None,
    };
    let names = names.into_iter().map(name).collect::<Option<Vec<_>>>()?;
    Some(Step { names, next: (cursor != "0").then_some(cursor) })
}
