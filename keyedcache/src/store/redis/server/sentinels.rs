//! Asks sentinels where the primary is.
//!
//! - All are asked at once, and the newest configuration counts: while the news of a failover spreads,
//!   some still name the old primary, which may not know yet that it is none.
//! - What they tell is where to look, and no more: whoever connects sees whether it is a primary's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionInfo, Pipeline, Value};
use tokio::task::{JoinHandle, JoinSet};

use super::{Settings, Shared, connect};
use crate::runtime;
use crate::store::redis::address::Place;
use crate::store::redis::fault;

/// For how long the others are waited for once one has answered.
const GRACE: Duration = Duration::from_millis(100);

/// How often they are asked whether another is the primary while a connection stands.
const INTERVAL: Duration = Duration::from_secs(1);

/// The connections to them, which are kept.
#[derive(Default)]
pub(super) struct Sentinels {
    connections: Arc<Mutex<HashMap<String, MultiplexedConnection>>>,
}

/// What a sentinel told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) place: Place,
    /// Grows with each failover; 0 where it may not be told.
    epoch: u64,
}

impl Sentinels {
    /// Those of the address, if it names any.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        settings.address.sentinels().map(|_| Self::default())
    }

    /// Where the primary is; why nobody tells otherwise.
    pub(super) async fn primary(&self, settings: &Settings) -> Result<Told, String> {
        let Some((service, infos)) = settings.address.sentinels() else {
            return Err("the address names no sentinel".to_owned());
        };
        let mut asked = JoinSet::new();
        for info in infos.map_err(|error| fault::words(&error))? {
            let (settings, service) = (settings.clone(), service.to_owned());
            let (place, connections) = (info.addr().to_string(), Arc::clone(&self.connections));
            asked.spawn(async move {
                let at_most = settings.connect_timeout;
                let asking = ask(&settings, &connections, &place, info, &service);
                let told = runtime::timeout(at_most, asking).await;
                let told = told.unwrap_or_else(|| Err(format!("no answer within {at_most:?}")));
                if told.is_err() {
                    connections.lock().remove(&place);
                }
                told.map_err(|reason| format!("{place}: {reason}"))
            });
        }
        let (mut newest, mut reasons): (Option<Told>, _) = (None, Vec::new());
        let mut until = None;
        loop {
            let left = until.map_or(Duration::MAX, |until: Instant| {
                until.saturating_duration_since(Instant::now())
            });
            match runtime::timeout(left, asked.join_next()).await.flatten() {
                Some(Ok(Ok(told))) => {
                    until.get_or_insert_with(|| runtime::after(GRACE));
                    if newest.as_ref().is_none_or(|newest| newest.epoch < told.epoch) {
                        newest = Some(told);
                    }
                }
                Some(Ok(Err(reason))) => reasons.push(reason),
                Some(Err(_)) => {}
                None => break,
            }
        }
        // Whoever is silent goes on, until its time is over: then its connection is given up, which else
        // would keep every question that was sent over it; or it was slow, and is connected next time.
        asked.detach_all();
        newest.ok_or_else(|| {
            reasons.sort_unstable();
            format!("no sentinel tells where `{service}` is: {}", reasons.join("; "))
        })
    }
}

async fn ask(
    settings: &Settings,
    connections: &Mutex<HashMap<String, MultiplexedConnection>>,
    place: &str,
    info: ConnectionInfo,
    service: &str,
) -> Result<Told, String> {
    let kept = connections.lock().get(place).cloned();
    if let Some(mut connection) = kept {
        match question(&mut connection, service).await {
            Ok(replies) => return told(replies, service),
            // It may have been restarted since.
            Err(_) => drop(connections.lock().remove(place)),
        }
    }
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let mut connection = connect::open(settings, info)?
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(|error| fault::words(&error))?;
    let replies = question(&mut connection, service).await?;
    connections.lock().insert(place.to_owned(), connection);
    told(replies, service)
}

async fn question(
    connection: &mut MultiplexedConnection,
    service: &str,
) -> Result<Vec<Value>, String> {
    let mut questions = Pipeline::new();
    questions.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(service);
    questions.cmd("SENTINEL").arg("MASTER").arg(service);
    let replies = connection.send_packed_commands(&questions, 0, 2).await;
    replies.map_err(|error| fault::words(&error))
}

fn told(replies: Vec<Value>, service: &str) -> Result<Told, String> {
    let mut replies = replies.into_iter();
    let parts = match fault::checked("connect", service, replies.next().unwrap_or(Value::Nil)) {
        Ok(Value::Array(parts)) => parts,
        Ok(Value::Nil) => return Err("it knows none of this name".to_owned()),
        Ok(_) => return Err("its answer makes no sense".to_owned()),
        Err(refused) => return Err(refused.to_string()),
    };
    let texts: Option<Vec<_>> = parts.into_iter().map(connect::text).collect();
    let place = texts.as_deref().and_then(|texts| {
        let [host, port] = texts else { return None };
        Some(Place::Tcp { host: host.clone(), port: port.parse().ok()? })
    });
    let place = place.ok_or("its answer makes no sense")?;
    let epoch = replies.next().and_then(epoch).unwrap_or_default();
    Ok(Told { place, epoch })
}

/// The epoch among the fields of what SENTINEL MASTER answers.
fn epoch(reply: Value) -> Option<u64> {
    let Value::Array(fields) = reply else { return None };
    let mut fields = fields.into_iter().map(connect::text);
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if name.as_deref() == Some("config-epoch") {
            return value?.parse().ok();
        }
    }
    None
}

/// Gives a connection up once sentinels have put another in the place of its server; until dropped.
///
/// Most often the connection ends when a primary does, or sentinels end it. It stands where they
/// cannot reach the server and this process can.
pub(super) struct Watch(JoinHandle<()>);

impl Watch {
    pub(super) fn begin(shared: &Arc<Shared>, number: u64, told: Told) -> Self {
        Self(runtime::background().spawn(watch(Arc::clone(shared), number, told)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(shared: Arc<Shared>, number: u64, told: Told) {
    let Some(sentinels) = &shared.sentinels else { return };
    loop {
        runtime::sleep(INTERVAL).await;
        // What is no newer may be an older name of the same server, or an older answer.
        if let Ok(newest) = sentinels.primary(&shared.settings).await
            && newest.epoch > told.epoch
            && newest.place != told.place
        {
            tracing::warn!(target: "keyedcache", store = &*shared.common.name, primary = %newest.place,
                "the sentinels name another primary");
            shared.dropped(number);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Value {
        Value::Array(words.iter().map(|word| Value::BulkString(word.as_bytes().into())).collect())
    }

    #[test]
    fn place_and_epoch_are_read() {
        let fields = list(&["name", "main", "config-epoch", "7", "num-slaves", "1"]);
        let told = told(vec![list(&["::1", "6379"]), fields], "main").unwrap();
        assert_eq!((told.place.to_string().as_str(), told.epoch), ("[::1]:6379", 7));
    }

    #[test]
    fn nonsense_is_told_from_an_unknown_name() {
        let reason = |reply| told(vec![reply, Value::Nil], "main").unwrap_err();
        assert_eq!(reason(Value::Nil), "it knows none of this name");
        for reply in [list(&["host"]), list(&["host", "port"]), Value::Okay] {
            assert_eq!(reason(reply), "its answer makes no sense");
        }
    }
}
