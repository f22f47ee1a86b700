//! Connections to the primary's replicas, for reading records.
//!
//! - Which there are the primary says with each sign of life; nobody else is asked.
//! - Nothing waits for one: a replica without a connection, or that has kept somebody waiting, is
//!   passed over until it gives a sign of life.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Value, cmd};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{Settings, connect};
use crate::runtime;
use crate::store::redis::address::Place;

/// How often a sign of life is asked for, and a connection tried.
const INTERVAL: Duration = Duration::from_secs(1);

/// The replicas that follow the primary.
pub(super) struct Replicas {
    settings: Settings,
    /// Whether they are nodes of a cluster, which read only for those who say that they only read.
    are_nodes: bool,
    followed: Mutex<Vec<Followed>>,
    turn: AtomicUsize,
}

struct Followed {
    replica: Arc<Replica>,
    upkeep: JoinHandle<()>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.upkeep.abort();
    }
}

/// One of them.
pub(in crate::store::redis) struct Replica {
    place: Place,
    connection: Mutex<Option<MultiplexedConnection>>,
    is_suspect: AtomicBool,
    poked: Notify,
}

impl Replicas {
    pub(super) fn new(settings: Settings, are_nodes: bool) -> Self {
        Self { settings, are_nodes, followed: Mutex::default(), turn: AtomicUsize::new(0) }
    }

    /// These are all there are.
    pub(super) fn follow(&self, places: &[Place]) {
        let mut followed = self.followed.lock();
        followed.retain(|followed| places.contains(&followed.replica.place));
        for place in places {
            if !followed.iter().any(|followed| followed.replica.place == *place) {
                let replica = Arc::new(Replica {
                    place: place.clone(),
                    connection: Mutex::default(),
                    is_suspect: AtomicBool::new(false),
                    poked: Notify::new(),
                });
                let upkeep = keep(self.settings.clone(), self.are_nodes, Arc::clone(&replica));
                let upkeep = runtime::background().spawn(upkeep);
                followed.push(Followed { replica, upkeep });
            }
        }
    }

    /// The next that can be asked.
    pub(super) fn next(&self) -> Option<Arc<Replica>> {
        let followed = self.followed.lock();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let all = (0..followed.len()).map(|n| &followed[turn.wrapping_add(n) % followed.len()]);
        let mut replicas = all.map(|followed| &followed.replica);
        replicas.find(|replica| replica.connection().is_some()).cloned()
    }
}

impl Replica {
    /// The connection to it, if it can be asked.
    pub(in crate::store::redis) fn connection(&self) -> Option<MultiplexedConnection> {
        if self.is_suspect.load(Ordering::Acquire) {
            return None;
        }
        self.connection.lock().clone()
    }

    /// It has not answered as it should.
    pub(in crate::store::redis) fn is_in_doubt(&self) {
        self.is_suspect.store(true, Ordering::Release);
        self.poked.notify_one();
    }
}

/// Keeps one connection standing; runs until it is dropped.
async fn keep(settings: Settings, is_node: bool, replica: Arc<Replica>) {
    loop {
        let connecting = connect(&settings, is_node, &replica.place);
        if let Some(Some(connection)) = runtime::timeout(settings.connect_timeout, connecting).await
        {
            tracing::debug!(target: "keyedcache", replica = %replica.place, "connected");
            stay(&settings, &replica, connection).await;
            *replica.connection.lock() = None;
        }
        runtime::sleep(INTERVAL).await;
    }
}

async fn connect(
    settings: &Settings,
    is_node: bool,
    place: &Place,
) -> Option<MultiplexedConnection> {
    let client = connect::open(settings, settings.address.info(place).ok()?).ok()?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(settings.concurrency);
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.ok()?;
    if is_node {
        let reply = connection.send_packed_command(&cmd("READONLY")).await.ok()?;
        matches!(reply, Value::Okay).then_some(())?;
    }
    Some(connection)
}

/// Lets it be asked while it answers.
async fn stay(settings: &Settings, replica: &Replica, mut connection: MultiplexedConnection) {
    loop {
        let ping = cmd("PING");
        let sign = runtime::timeout(settings.near_trust, connection.send_packed_command(&ping));
        match sign.await {
            Some(Ok(Value::SimpleString(_))) => {
                *replica.connection.lock() = Some(connection.clone());
                replica.is_suspect.store(false, Ordering::Release);
            }
            // It loads, or has lost its primary and says nothing without.
            Some(Ok(_)) => *replica.connection.lock() = None,
            Some(Err(_)) | None => return,
        }
        runtime::timeout(INTERVAL, replica.poked.notified()).await;
    }
}
