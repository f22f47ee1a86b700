//! One server: one connection that all share, and what becomes of requests when it is lost.
//!
//! | file | owns |
//! |---|---|
//! | `connect` | making a connection, and what it is asked before and while it is used |
//! | `upkeep` | that one stands, and what callers are told while none does |
//!
//! Everything that reads or writes a socket runs on the crate's background runtime; callers only pass
//! messages to it.

mod connect;
mod upkeep;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value, cmd};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use super::builder::Settings;
use super::fault;
use super::link::{Link, Replies, Step};
use super::pushed::Pushed;
use super::script::{Call, is_unknown};
use super::sent::Sent;
use super::trust::{ServerClock, Trust};
use crate::Moment;
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::store::Pending;

/// A link to one server, or to whichever of several addresses is the primary.
pub(super) struct Server {
    shared: Arc<Shared>,
    upkeep: JoinHandle<()>,
}

struct Shared {
    settings: Settings,
    name: Arc<str>,
    pushed: Arc<Pushed>,
    sent: Arc<Sent>,
    state: watch::Sender<State>,
    trust: Trust,
    clock: ServerClock,
    permits: Semaphore,
    /// Whether a request was not answered in time, and none has been since.
    is_suspect: AtomicBool,
    /// Makes the upkeep look now.
    poked: Notify,
}

enum State {
    /// The first attempt since the start or since a loss.
    Connecting,
    Up {
        number: u64,
        connection: MultiplexedConnection,
    },
    Down(Box<str>),
}

impl Server {
    /// Begins to connect.
    pub(super) fn start(
        settings: Settings,
        name: Arc<str>,
        pushed: Arc<Pushed>,
        sent: Arc<Sent>,
    ) -> Self {
        let shared = Arc::new(Shared {
            permits: Semaphore::new(settings.concurrency),
            settings,
            name,
            pushed,
            sent,
            state: watch::Sender::new(State::Connecting),
            trust: Trust::default(),
            clock: ServerClock::new(),
            is_suspect: AtomicBool::new(false),
            poked: Notify::new(),
        });
        let upkeep = runtime::background().spawn(upkeep::run(Arc::clone(&shared)));
        Self { shared, upkeep }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.upkeep.abort();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.shared.state.borrow() {
            State::Connecting => "connecting",
            State::Up { .. } => "up",
            State::Down(_) => "down",
        };
        f.debug_struct("Server")
            .field("name", &self.shared.name)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// This connection is of no use any more: nothing it pushed can be trusted, and whoever asks now
    /// waits for the next.
    fn dropped(&self, number: u64) {
        let was_trusted = self.trust.end(number);
        let was_up = self.state.send_if_modified(|state| {
            let is_up = matches!(state, State::Up { number: current, .. } if *current == number);
            if is_up {
                *state = State::Connecting;
            }
            is_up
        });
        if was_trusted || was_up {
            self.pushed.lost();
            self.poked.notify_one();
        }
    }

    fn is_current(&self, number: u64) -> bool {
        matches!(&*self.state.borrow(), State::Up { number: current, .. } if *current == number)
    }

    fn has_answered(&self) {
        if self.is_suspect.load(Ordering::Relaxed) {
            self.is_suspect.store(false, Ordering::Release);
        }
    }

    /// The connection that stands, or the one that is being made.
    async fn connection(
        &self,
        operation: &'static str,
    ) -> Result<(u64, MultiplexedConnection), Error> {
        if let Some(answer) = self.ready(operation, &self.state.borrow()) {
            return answer;
        }
        let mut states = self.state.subscribe();
        let settled = states.wait_for(|state| !matches!(state, State::Connecting)).await;
        settled.ok().and_then(|state| self.ready(operation, &state)).unwrap_or_else(|| {
            Err(fault::unavailable(operation, &self.name, "the store has been closed"))
        })
    }

    fn ready(
        &self,
        operation: &'static str,
        state: &State,
    ) -> Option<Result<(u64, MultiplexedConnection), Error>> {
        let unavailable = |because: &str| Err(fault::unavailable(operation, &self.name, because));
        match state {
            State::Connecting => None,
            State::Up { .. } if self.is_suspect.load(Ordering::Acquire) => {
                Some(unavailable("the server does not answer"))
            }
            State::Up { number, connection } => Some(Ok((*number, connection.clone()))),
            State::Down(because) => Some(unavailable(because)),
        }
    }

    /// What `send` gets over the connection, within the timeout.
    async fn exchange<T, F>(
        &self,
        operation: &'static str,
        is_repeatable: bool,
        send: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let is_sent = AtomicBool::new(false);
        let attempts = async {
            let _permit = self.permits.acquire().await;
            let mut tries = if is_repeatable { 2 } else { 1 };
            loop {
                let (number, connection) = self.connection(operation).await?;
                is_sent.store(true, Ordering::Relaxed);
                tries -= 1;
                match send(connection).await {
                    Ok(answer) => {
                        self.has_answered();
                        return Ok(answer);
                    }
                    Err(error) => {
                        self.failed(number, &error);
                        if tries == 0 {
                            return Err(fault::lost(operation, &self.name, is_repeatable));
                        }
                    }
                }
            }
        };
        let answer = runtime::timeout(self.settings.timeout, attempts).await;
        answer.unwrap_or_else(|| {
            let kind = match (is_sent.load(Ordering::Relaxed), is_repeatable) {
                (false, _) => ErrorKind::Unavailable,
                (true, true) => ErrorKind::Timeout,
                (true, false) => ErrorKind::OutcomeUnknown,
            };
            if kind != ErrorKind::Unavailable {
                self.is_suspect.store(true, Ordering::Release);
                self.poked.notify_one();
            }
            let message = format!("no answer within {:?}", self.settings.timeout);
            Err(Error::new(kind, operation, message).with("store", &self.name))
        })
    }

    /// What the library says of a request is about the connection: errors of servers are replies.
    fn failed(&self, number: u64, error: &RedisError) {
        tracing::debug!(target: "keyedcache", store = &*self.name, %error, "request failed");
        self.dropped(number);
    }

    async fn command(&self, operation: &'static str, command: &Cmd) -> Result<Value, Error> {
        let send = |mut connection: MultiplexedConnection| async move {
            connection.send_packed_command(command).await
        };
        let reply = self.exchange(operation, true, send).await?;
        fault::checked(operation, &self.name, reply).inspect_err(|_| self.poked.notify_one())
    }

    async fn call_all(&self, calls: &[Call]) -> Vec<Result<Value, Error>> {
        let Some(first) = calls.first() else { return Vec::new() };
        let is_repeatable = calls.iter().all(|call| call.is_repeatable);
        let send = |mut connection: MultiplexedConnection| async move {
            run_all(&mut connection, calls).await
        };
        match self.exchange(first.operation, is_repeatable, send).await {
            Ok(replies) => calls
                .iter()
                .zip(replies)
                .map(|(call, reply)| fault::checked(call.operation, &self.name, reply))
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
async fn run_all(
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

impl Link for Server {
    fn read(&self, names: Vec<String>) -> Pending<'_, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let bytes: usize = names.iter().map(String::len).sum();
            let mut command = Cmd::with_capacity(1 + names.len(), 4 + bytes);
            command.arg("MGET").arg(names);
            let reply = self.shared.command("load", &command).await?;
            let Value::Array(texts) = reply else {
                return Err(fault::garbled("load", &self.shared.name));
            };
            let text = |value| match value {
                Value::BulkString(text) => Some(Bytes::from(text)),
                _ => None,
            };
            Ok(texts.into_iter().map(text).collect())
        })
    }

    fn call(&self, calls: Vec<Call>) -> Replies<'_> {
        Box::pin(async move { self.shared.call_all(&calls).await })
    }

    fn unlink(&self, names: Vec<String>) -> Pending<'_, usize> {
        Box::pin(async move {
            let mut command = cmd("UNLINK");
            command.arg(names);
            match self.shared.command("clear", &command).await? {
                Value::Int(count) => Ok(usize::try_from(count).unwrap_or_default()),
                _ => Err(fault::garbled("clear", &self.shared.name)),
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
            let mut command = cmd("SCAN");
            command.arg(from.unwrap_or("0")).arg("MATCH").arg(pattern);
            command.arg("COUNT").arg(count).arg("TYPE").arg("string");
            let reply = self.shared.command("scan", &command).await?;
            step(reply).ok_or_else(|| fault::garbled("scan", &self.shared.name))
        })
    }

    fn trusted(&self) -> bool {
        self.shared.trust.holds()
    }

    fn now(&self) -> Moment {
        self.shared.clock.now()
    }
}

/// What SCAN answers.
fn step(reply: Value) -> Option<Step> {
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
