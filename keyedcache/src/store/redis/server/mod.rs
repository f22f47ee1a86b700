//! One server: one connection that all share, and what becomes of requests when it is lost.
//!
//! | file | owns |
//! |---|---|
//! | `asking` | what is asked of it, and what it answers |
//! | `connect` | making a connection, and what it is asked before and while it is used |
//! | `upkeep` | that one stands, and what callers are told while none does |
//! | `homes` | connections of callers' own runtimes, for reads that nobody keeps |
//! | `wire` `greeting` | such a connection; what is said before it is used |
//! | `turns` `known` | what is asked over it, and who is told; the generations that it remembers |
//! | `reply` | what of the protocol it needs |
//! | `unsettled` | whether what was given up may still be done |
//! | `sentinels` | where the primary is, if sentinels know |
//! | `replicas` `apart` | connections to its replicas; reading records from them |
//!
//! The connection that all share lives on the crate's background runtime, callers only pass messages to
//! it: it must not end with the runtime of whoever came first.

mod apart;
mod asking;
mod connect;
mod greeting;
mod homes;
mod known;
mod outlet;
mod replicas;
mod reply;
mod sentinels;
mod turns;
mod unsettled;
mod upkeep;
mod wire;

pub(super) use self::apart::{Judged, head, is_whole, judge};
pub(super) use self::asking::step;
pub(super) use self::connect::{field, open, text};
pub(super) use self::replicas::Replica;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, RedisResult, Value};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use self::homes::Homes;
use self::replicas::Replicas;
use self::sentinels::Sentinels;
use self::unsettled::Unsettled;
use super::builder::Settings;
use super::fault;
use super::heartbeats::{Heart, Heartbeats};
use super::pushed::Pushed;
use super::script::Call;
use super::sent::Sent;
use crate::error::{Error, ErrorKind};
use crate::runtime;

/// A link to one server, or to whichever of several addresses is the primary.
pub(super) struct Server {
    shared: Arc<Shared>,
    upkeep: JoinHandle<()>,
}

/// What the servers of one store have in common.
#[derive(Clone, Debug)]
pub(super) struct Common {
    /// What the store is called in messages.
    pub(super) name: Arc<str>,
    pub(super) pushed: Arc<Pushed>,
    pub(super) sent: Arc<Sent>,
    pub(super) beats: Arc<Heartbeats>,
}

/// What a server is part of, where it does not serve everything.
pub(super) trait Whole: Send + Sync {
    /// Whether it is this server that serves a name.
    fn is_here(&self, name: &str) -> bool;

    /// Who serves what may have changed.
    fn look(&self);

    /// This is the run of this server, and the history of its data: told before anybody may use a
    /// connection, where a failover makes everything missing.
    fn met(&self, run: &str, history: &str);

    /// These were to be sent again, and are not this server's any more, or only in part.
    fn hand_on(&self, calls: Vec<Call>);
}

struct Shared {
    settings: Settings,
    common: Common,
    whole: Option<Box<dyn Whole>>,
    state: watch::Sender<State>,
    heart: Heart,
    sentinels: Option<Sentinels>,
    /// Where records are read from, if not from the primary alone.
    replicas: Option<Replicas>,
    homes: Homes,
    permits: Semaphore,
    unsettled: Unsettled,
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
    pub(super) fn start(settings: Settings, common: Common, whole: Option<Box<dyn Whole>>) -> Self {
        let shared = Arc::new(Shared {
            permits: Semaphore::new(settings.concurrency),
            sentinels: Sentinels::of(&settings),
            replicas: settings
                .read_replicas
                .then(|| Replicas::new(settings.clone(), whole.is_some())),
            settings,
            heart: Heart::new(&common.beats),
            common,
            whole,
            state: watch::Sender::new(State::Connecting),
            homes: Homes::default(),
            unsettled: Unsettled::default(),
            is_suspect: AtomicBool::new(false),
            poked: Notify::new(),
        });
        let upkeep = runtime::background().spawn(upkeep::run(Arc::clone(&shared)));
        Self { shared, upkeep }
    }

    /// Whether a connection stands that answers.
    pub(super) fn is_up(&self) -> bool {
        let is_suspect = self.shared.is_suspect.load(Ordering::Acquire);
        !is_suspect && matches!(&*self.shared.state.borrow(), State::Up { .. })
    }

    /// The next of its replicas that can be asked.
    pub(super) fn replica(&self) -> Option<Arc<Replica>> {
        self.shared.replicas.as_ref()?.next()
    }

    /// Sends commands in one go: their replies, errors of the server among them. They are sent once
    /// more if they may be and the connection is lost; nothing takes longer than `at_most`.
    pub(super) async fn send(
        &self,
        operation: &'static str,
        commands: &Pipeline,
        is_repeatable: bool,
        at_most: Duration,
    ) -> Result<Vec<Value>, Error> {
        let send = |mut connection: MultiplexedConnection| async move {
            connection.send_packed_commands(commands, 0, commands.len()).await
        };
        self.shared.exchange(operation, is_repeatable, at_most, send).await
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
            .field("name", &self.shared.common.name)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// This connection is of no use any more: nothing it pushed can be trusted, and whoever asks now
    /// waits for the next.
    fn dropped(&self, number: u64) {
        let was_trusted = self.heart.end(number);
        let was_up = self.state.send_if_modified(|state| {
            let is_up = matches!(state, State::Up { number: current, .. } if *current == number);
            if is_up {
                *state = State::Connecting;
            }
            is_up
        });
        self.homes.end(number);
        if was_trusted || was_up {
            self.common.pushed.lost();
            self.poked.notify_one();
            self.look();
        }
    }

    /// Whatever it is part of should look who serves what.
    fn look(&self) {
        if let Some(whole) = &self.whole {
            whole.look();
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
            Err(fault::unavailable(operation, &self.common.name, "the store has been closed"))
        })
    }

    fn ready(
        &self,
        operation: &'static str,
        state: &State,
    ) -> Option<Result<(u64, MultiplexedConnection), Error>> {
        let unavailable =
            |because: &str| Err(fault::unavailable(operation, &self.common.name, because));
        match state {
            State::Connecting => None,
            State::Up { .. } if self.is_suspect.load(Ordering::Acquire) => {
                Some(unavailable("the server does not answer"))
            }
            State::Up { number, connection } => Some(Ok((*number, connection.clone()))),
            State::Down(because) => Some(unavailable(because)),
        }
    }

    /// What `send` gets over the connection, within `at_most`.
    async fn exchange<T, F>(
        &self,
        operation: &'static str,
        is_repeatable: bool,
        at_most: Duration,
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
                let underway = self.unsettled.sending();
                match send(connection).await {
                    Ok(answer) => {
                        underway.answered();
                        self.has_answered();
                        return Ok(answer);
                    }
                    Err(error) => {
                        self.failed(number, &error);
                        if tries == 0 {
                            return Err(fault::lost(operation, &self.common.name, is_repeatable));
                        }
                    }
                }
            }
        };
        let answer = runtime::timeout(at_most, attempts).await;
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
            let message = format!("no answer within {at_most:?}");
            Err(Error::new(kind, operation, message).with("store", &self.common.name))
        })
    }

    /// What the library says of a request is about the connection: errors of servers are replies.
    fn failed(&self, number: u64, error: &RedisError) {
        tracing::debug!(target: "keyedcache", store = &*self.common.name, %error, "request failed");
        self.dropped(number);
    }
}
