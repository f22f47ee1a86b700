//! One connection to one server: made, logged in, tracking, and known to be a primary's, before
//! anything else is sent over it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, Pipeline, PushInfo, PushKind, Value};

use super::Shared;
use crate::clock::{self, Moment, Ticks};
use crate::runtime;
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
}

impl Beat {
    /// Tells the clock what time it was at the server.
    pub(super) fn set(&self, shared: &Shared) {
        shared.clock.set(self.time, self.asked, self.answered);
    }
}

/// A connection that is ready.
pub(super) struct Ready {
    pub(super) connection: MultiplexedConnection,
    pub(super) beat: Beat,
    /// Names the run of the server process.
    pub(super) run: String,
}

/// Connects to the first place that is a primary's; says of each why it is not otherwise.
pub(super) async fn connect(shared: &Arc<Shared>, number: u64) -> Result<Ready, String> {
    let infos = shared.settings.address.infos().map_err(|error| fault::words(&error))?;
    let mut reasons = Vec::new();
    for info in infos {
        let place = info.addr().to_string();
        let at_most = shared.settings.connect_timeout;
        let reason = match runtime::timeout(at_most, one(shared, number, info)).await {
            Some(Ok(ready)) => return Ok(ready),
            Some(Err(reason)) => reason,
            None => format!("no connection within {at_most:?}"),
        };
        reasons.push(format!("{place}: {reason}"));
    }
    Err(reasons.join("; "))
}

async fn one(shared: &Arc<Shared>, number: u64, info: ConnectionInfo) -> Result<Ready, String> {
    let client = open(shared, info)?;
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
    setup.cmd("CLIENT").arg("TRACKING").arg("ON").arg("NOLOOP");
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
        let reply = fault::checked("connect", &shared.name, reply).map_err(|e| e.to_string())?;
        server = text(reply).unwrap_or_default();
    }
    let run = field(&server, "run_id").unwrap_or_default().to_owned();
    let beat = beat(&mut connection).await?;
    Ok(Ready { connection, beat, run })
}

#[cfg(not(feature = "redis-tls"))]
fn open(_: &Shared, info: ConnectionInfo) -> Result<Client, String> {
    Client::open(info).map_err(|error| fault::words(&error))
}

#[cfg(feature = "redis-tls")]
fn open(shared: &Shared, info: ConnectionInfo) -> Result<Client, String> {
    let address = &shared.settings.address;
    if address.is_tls() && rustls::crypto::CryptoProvider::get_default().is_none() {
        // Where a program links several and has chosen none, rustls would panic. An error means that
        // another thread has just chosen one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    match &shared.settings.tls_root {
        Some(root) if address.is_tls() => {
            let root_cert = Some(root.to_vec());
            Client::build_with_tls(info, redis::TlsCertificates { client_tls: None, root_cert })
        }
        _ => Client::open(info),
    }
    .map_err(|error| fault::words(&error))
}

/// Asks the server what time it is, what it is, and whose data it has.
pub(super) async fn beat(connection: &mut MultiplexedConnection) -> Result<Beat, String> {
    let mut questions = Pipeline::new();
    questions.cmd("TIME");
    questions.cmd("INFO").arg("replication");
    let (sent, asked) = (clock::coarse_ticks(), clock::uptime());
    let replies = connection
        .send_packed_commands(&questions, 0, 2)
        .await
        .map_err(|error| fault::words(&error))?;
    let answered = clock::uptime();
    let [time, replication] =
        <[Value; 2]>::try_from(replies).map_err(|_| "its answer makes no sense")?;
    let time = moment(&time).ok_or("it does not tell the time")?;
    let replication = text(replication).ok_or("it does not tell its role")?;
    if field(&replication, "role") != Some("master") {
        return Err("it is a read-only replica".to_owned());
    }
    let history = field(&replication, "master_replid").unwrap_or_default().to_owned();
    Ok(Beat { sent, asked, answered, time, history })
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
                        shared.pushed.changed(name);
                    }
                }
            }
            // All keys: the server was emptied.
            _ => shared.pushed.lost(),
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

fn text(reply: Value) -> Option<String> {
    match reply {
        Value::BulkString(text) => String::from_utf8(text).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        Value::Okay => Some(String::new()),
        _ => None,
    }
}

/// The value of a field of what INFO answers.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
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
    fn time_is_read_and_nonsense_is_not() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let time = Value::Array(vec![text("1700000000"), text("7")]);
        assert_eq!(moment(&time), Some(Moment::from_micros(1_700_000_000_000_007)));
        assert_eq!(moment(&Value::Array(vec![text("x"), text("7")])), None);
        assert_eq!(moment(&Value::Nil), None);
    }
}
