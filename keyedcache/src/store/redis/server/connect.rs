//! One connection to one server: made, logged in, tracking, and known to be a primary's, before
//! anything else is sent over it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, Pipeline, PushInfo, PushKind, Value};

use super::sentinels::Told;
use super::{Settings, Shared};
use crate::clock::{self, Moment, Ticks};
use crate::runtime;
use crate::store::redis::address::Place;
use crate::store::redis::{fault, script};

/// What a heartbeat tells.
pub(super) struct Beat {
    /// When it was sent.
    pub(super) sent: Ticks,
    asked: Duration,
    answered: Duration,
    time: Moment,
    /// Names the history of the data: another one may lack what was acknowledged.
    pub(super) history: String,
    /// Changes when, in a cluster, slots become another's.
    pub(super) epoch: String,
    /// Whether it answers for its slots: not while it cannot reach most of a cluster.
    pub(super) is_serving: bool,
    /// Where its replicas are that follow it.
    replicas: Vec<Place>,
}

impl Beat {
    /// Tells the clock what time it was at the server, and who its replicas are.
    pub(super) fn set(&self, shared: &Shared) {
        if let Some(replicas) = &shared.replicas {
            replicas.follow(&self.replicas);
        }
        shared.heart.tell_time(self.time, self.asked, self.answered);
    }

    /// Vouches for what this connection has pushed.
    pub(super) fn vouch(&self, shared: &Shared, number: u64) {
        if self.is_serving {
            shared.heart.vouch(number, self.sent, shared.settings.near_trust);
        }
    }
}

/// A connection that is ready.
pub(super) struct Ready {
    pub(super) connection: MultiplexedConnection,
    pub(super) beat: Beat,
    /// Names the run of the server process.
    pub(super) run: String,
    /// Where it leads to.
    pub(super) info: ConnectionInfo,
    /// What sentinels told, where there are any.
    pub(super) told: Option<Told>,
}

/// Connects to the first place that is a primary's, of those of the address, or to the one that
/// sentinels tell; says of each why it is not otherwise.
pub(super) async fn connect(shared: &Arc<Shared>, number: u64) -> Result<Ready, String> {
    let address = &shared.settings.address;
    let told = match &shared.sentinels {
        Some(sentinels) => Some(sentinels.primary(&shared.settings).await?),
        None => None,
    };
    let infos = match &told {
        Some(told) => address.info(&told.place).map(|info| vec![info]),
        None => address.infos(),
    };
    let infos = infos.map_err(|error| fault::words(&error))?;
    let mut reasons = Vec::new();
    for info in infos {
        let place = info.addr().to_string();
        let at_most = shared.settings.connect_timeout;
        let reason = match runtime::timeout(at_most, one(shared, number, info)).await {
            Some(Ok(ready)) => return Ok(Ready { told, ..ready }),
            Some(Err(reason)) => reason,
            None => format!("no connection within {at_most:?}"),
        };
        reasons.push(format!("{place}: {reason}"));
    }
    Err(reasons.join("; "))
}

async fn one(shared: &Arc<Shared>, number: u64, info: ConnectionInfo) -> Result<Ready, String> {
    let client = open(&shared.settings, info.clone())?;
    let hearer = Arc::downgrade(shared);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None) // ours is around all of this
        .set_response_timeout(None)
        .set_pipeline_buffer_size(shared.settings.concurrency)
        .set_push_sender(move |push| hear(&hearer, number, push));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(|error| fault::words(&error))?;
    let mut setup = Pipeline::new();
    setup.cmd("CLIENT").arg("SETNAME").arg("keyedcache");
    // Told of its own changes too (no NOLOOP): what is evicted, or goes from the table of who has read
    // what, while this connection's command is handled counts as its own, and would be told to nobody.
    setup.cmd("CLIENT").arg("TRACKING").arg("ON");
    setup.cmd("INFO").arg("server");
    let count = setup.len();
    // So that no first call needs a second round trip. Who may not load scripts sends them.
    for script in script::ALL {
        setup.add_command(script.load());
    }
    let replies = connection
        .send_packed_commands(&setup, 0, setup.len())
        .await
        .map_err(|error| fault::words(&error))?;
    let mut server = String::new();
    for reply in replies.into_iter().take(count) {
        let reply =
            fault::checked("connect", &shared.common.name, reply).map_err(|e| e.to_string())?;
        server = text(reply).unwrap_or_default();
    }
    let run = field(&server, "run_id").unwrap_or_default().to_owned();
    let beat = beat(&mut connection, shared.whole.is_some()).await?;
    Ok(Ready { connection, beat, run, info, told: None })
}

/// What connects to a place.
#[cfg(not(feature = "redis-tls"))]
pub(in crate::store::redis) fn open(_: &Settings, info: ConnectionInfo) -> Result<Client, String> {
    Client::open(info).map_err(|error| fault::words(&error))
}

/// What connects to a place.
#[cfg(feature = "redis-tls")]
pub(in crate::store::redis) fn open(
    settings: &Settings,
    info: ConnectionInfo,
) -> Result<Client, String> {
    let address = &settings.address;
    if address.is_tls() && rustls::crypto::CryptoProvider::get_default().is_none() {
        // Where a program links several and has chosen none, rustls would panic. An error means that
        // another thread has just chosen one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    match &settings.tls_root {
        Some(root) if address.is_tls() => {
            let root_cert = Some(root.to_vec());
            Client::build_with_tls(info, redis::TlsCertificates { client_tls: None, root_cert })
        }
        _ => Client::open(info),
    }
    .map_err(|error| fault::words(&error))
}

/// Asks the server what time it is, what it is, and whose data it has; of a node of a cluster, what
/// it knows of that.
pub(super) async fn beat(
    connection: &mut MultiplexedConnection,
    is_node: bool,
) -> Result<Beat, String> {
    let mut questions = Pipeline::new();
    questions.cmd("TIME");
    questions.cmd("INFO").arg("replication");
    if is_node {
        questions.cmd("CLUSTER").arg("INFO");
    }
    let (sent, asked) = (Ticks::now(), clock::uptime());
    let replies = connection
        .send_packed_commands(&questions, 0, questions.len())
        .await
        .map_err(|error| fault::words(&error))?;
    let answered = clock::uptime();
    let mut replies = replies.into_iter();
    let (Some(time), Some(replication)) = (replies.next(), replies.next()) else {
        return Err("its answer makes no sense".to_owned());
    };
    let cluster = replies.next().and_then(text).unwrap_or_default();
    let time = moment(&time).ok_or("it does not tell the time")?;
    let replication = text(replication).ok_or("it does not tell its role")?;
    if field(&replication, "role") != Some("master") {
        return Err("it is a read-only replica".to_owned());
    }
    let history = field(&replication, "master_replid").unwrap_or_default().to_owned();
    let epoch = field(&cluster, "cluster_current_epoch").unwrap_or_default().to_owned();
    let is_serving = !is_node || field(&cluster, "cluster_state") == Some("ok");
    let replicas = replicas(&replication);
    Ok(Beat { sent, asked, answered, time, history, epoch, is_serving, replicas })
}

/// Called by the connection, in the order in which pushes and replies come.
fn hear(shared: &Weak<Shared>, number: u64, push: PushInfo) -> Result<(), ()> {
    let shared = shared.upgrade().ok_or(())?;
    match push.kind {
        PushKind::Disconnection => shared.dropped(number),
        PushKind::Invalidate => match push.data.into_iter().next() {
            Some(Value::Array(names)) => {
                for name in &names {
                    if let Value::BulkString(name) = name {
                        shared.common.pushed.changed(name);
                    }
                }
            }
            // All keys: the server was emptied.
            _ => shared.common.pushed.lost(),
        },
        _ => {}
    }
    Ok(())
}

/// What TIME answers.
fn moment(reply: &Value) -> Option<Moment> {
    let Value::Array(parts) = reply else { return None };
    let number = |part: &Value| match part {
        Value::BulkString(digits) => std::str::from_utf8(digits).ok()?.parse::<u64>().ok(),
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    let [seconds, micros] = parts.as_slice() else { return None };
    let micros = number(seconds)?.checked_mul(1_000_000)?.checked_add(number(micros)?)?;
    Some(Moment::from_micros(micros))
}

pub(in crate::store::redis) fn text(reply: Value) -> Option<String> {
    match reply {
        Value::BulkString(text) => String::from_utf8(text).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        Value::Okay => Some(String::new()),
        _ => None,
    }
}

/// Where the replicas are that have all but the last seconds, as a primary says it:
/// `slave0:ip=10.0.0.2,port=6379,state=online,offset=123,lag=1`.
fn replicas(info: &str) -> Vec<Place> {
    /// How many seconds ago a replica may have said how far it is; each does so once a second.
    const LAG: u64 = 3;
    let replica = |line: &str| {
        let (name, fields) = line.strip_prefix("slave")?.split_once(':')?;
        name.parse::<u16>().ok()?;
        let value = |name: &str| {
            fields.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let is_near = value("state") == Some("online") && value("lag")?.parse::<u64>().ok()? <= LAG;
        let place =
            Place::Tcp { host: value("ip")?.to_owned(), port: value("port")?.parse().ok()? };
        is_near.then_some(place)
    };
    info.lines().filter_map(|line| replica(line.trim())).collect()
}

/// The value of a field of what INFO answers.
pub(in crate::store::redis) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_from_info() {
        let info = "# Replication\r\nrole:master\r\nmaster_replid:abc\r\nmaster_replid2:def\r\n";
        assert_eq!(field(info, "role"), Some("master"));
        assert_eq!(field(info, "master_replid"), Some("abc"));
        assert_eq!(field(info, "absent"), None);
    }

    #[test]
    fn replicas_are_read_but_for_those_that_lag() {
        let info = "role:master\r\nconnected_slaves:4\r\nslave_read_only:1\r\n\
            slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=1\r\n\
            slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\r\n\
            slave2:ip=10.0.0.4,port=6379,state=online,offset=1,lag=9\r\n\
            slave3:ip=::1,port=7000,state=online,offset=14,lag=0\r\n";
        let places: Vec<_> = replicas(info).iter().map(Place::to_string).collect();
        assert_eq!(places, ["10.0.0.2:6379", "[::1]:7000"]);
    }

    #[test]
    fn time_is_read_and_nonsense_is_not() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let time = Value::Array(vec![text("1700000000"), text("7")]);
        assert_eq!(moment(&time), Some(Moment::from_micros(1_700_000_000_000_007)));
        assert_eq!(moment(&Value::Array(vec![text("x"), text("7")])), None);
        assert_eq!(moment(&Value::Nil), None);
    }
}
