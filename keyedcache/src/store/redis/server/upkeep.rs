//! Keeps one connection standing: connects, asks for a sign of life each second, connects again.
//!
//! - The first attempt after a loss is made at once, and callers wait for it within their timeout;
//!   from its failure on they fail at once, until an attempt succeeds.
//! - A connection whose server does not answer within `near_trust`, or is a primary no more, is given
//!   up.
//! - A server that may lack what was acknowledged is told again before anybody may ask it anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{ServerErrorKind, Value};

use super::asking::run_all;
use super::connect::{self, Ready};
use super::homes::Site;
use super::sentinels::Watch;
use super::wire::Wire;
use super::{Shared, State};
use crate::record::random_bytes;
use crate::runtime;
use crate::store::redis::builder::OnFailover;
use crate::store::redis::script::{Call, ERA};
use crate::store::redis::{fault, names};

/// How often a sign of life is asked for, unless trust is to end sooner.
const INTERVAL: Duration = Duration::from_secs(1);

/// How soon it is asked for again at most, however often somebody wants it: a server that refuses much
/// is not to be asked as often.
const REST: Duration = Duration::from_millis(50);

/// The first pause between attempts, and the longest: things are to be right again within two
/// seconds of a server's return.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// How many invalidations are sent again at once: however many there are, so many are taken in time.
const SENT_AT_ONCE: usize = 1000;

/// Which server process holds which history of the data.
#[derive(Clone, PartialEq, Eq)]
struct Identity {
    run: String,
    history: String,
}

/// Runs until it is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut identity: Option<Identity> = None;
    let (mut number, mut pause) = (0, PAUSE.0);
    loop {
        number += 1;
        shared.heart.begin(number);
        let connected = match connect::connect(&shared, number).await {
            Ok(ready) => welcome(&shared, ready, &mut identity).await,
            Err(because) => Err(because),
        };
        match connected {
            Ok(ready) => {
                pause = PAUSE.0;
                stay(&shared, number, ready, &mut identity).await;
                shared.dropped(number);
            }
            Err(because) => {
                shared.heart.end(number);
                shared.is_down(&because);
                runtime::sleep(jittered(pause)).await;
                pause = (pause * 2).min(PAUSE.1);
            }
        }
    }
}

/// Sends again what this server may not have.
async fn welcome(
    shared: &Shared,
    mut ready: Ready,
    last: &mut Option<Identity>,
) -> Result<Ready, String> {
    let now = Identity { run: ready.run.clone(), history: ready.beat.history.clone() };
    keep_era(shared, &mut ready.connection, &now).await?;
    if last.as_ref().is_some_and(|last| *last != now) {
        send_again(shared, &mut ready.connection).await?;
    }
    *last = Some(now);
    Ok(ready)
}

/// Makes sure that the era is that of this history, where everything is to be missing in another.
async fn keep_era(
    shared: &Shared,
    connection: &mut MultiplexedConnection,
    identity: &Identity,
) -> Result<(), String> {
    if shared.settings.on_failover != OnFailover::Forget {
        return Ok(());
    }
    if let Some(whole) = &shared.whole {
        whole.met(&identity.run, &identity.history);
        return Ok(());
    }
    let call = Call::new("begin an era", &ERA, [names::ERA.to_owned()])
        .arg(format!("{} {}", identity.run, identity.history))
        .arg(random_bytes::<16>());
    let calls = [call];
    let asking = runtime::timeout(shared.settings.connect_timeout, run_all(connection, &calls));
    let replies = asking.await.ok_or("it did not answer")?;
    for reply in replies.map_err(|error| fault::words(&error))? {
        fault::checked("begin an era", &shared.common.name, reply)
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn send_again(shared: &Shared, connection: &mut MultiplexedConnection) -> Result<(), String> {
    let mut again = shared.common.sent.again();
    if let Some(whole) = &shared.whole {
        again.retain(|call| whole.is_here(call.key()));
    }
    if again.is_empty() {
        return Ok(());
    }
    tracing::info!(target: "keyedcache", store = &*shared.common.name, count = again.len(),
        "the server's history is another: invalidations of the last minute are sent again");
    let mut elsewhere = Vec::new();
    for some in again.chunks(SENT_AT_ONCE) {
        let sending = run_all(connection, some);
        let sent = runtime::timeout(shared.settings.connect_timeout, sending).await;
        let replies = sent.ok_or("it took no invalidations in time")?;
        let replies =
            replies.map_err(|_| "the connection was lost while invalidations were sent again")?;
        for (call, reply) in some.iter().zip(replies) {
            if shared.whole.is_some() && is_elsewhere(&reply) {
                elsewhere.push(call.clone());
                continue;
            }
            // One that loads its data refuses them, and would then serve what they were to strike.
            let checked = fault::checked("invalidate again", &shared.common.name, reply);
            checked.map_err(|error| error.to_string())?;
        }
    }
    if let Some(whole) = &shared.whole {
        whole.hand_on(elsewhere);
    }
    Ok(())
}

/// Whether a node of a cluster says that a slot is another's, or on its way there.
fn is_elsewhere(reply: &Value) -> bool {
    let Value::ServerError(error) = reply else { return false };
    let kinds = [ServerErrorKind::Moved, ServerErrorKind::Ask, ServerErrorKind::TryAgain];
    error.kind().is_some_and(|kind| kinds.contains(&kind))
}

/// Serves callers until the connection is of no use any more.
async fn stay(shared: &Arc<Shared>, number: u64, ready: Ready, identity: &mut Option<Identity>) {
    let Ready { mut connection, beat, told, info, run } = ready;
    let _watch = told.map(|told| Watch::begin(shared, number, told));
    beat.set(shared);
    // One that does not say which run it is could be any; nodes of a cluster are asked over one each.
    let is_alone = shared.whole.is_none() && !run.is_empty();
    if shared.settings.callers_runtimes && is_alone && Wire::reaches(info.addr()) {
        let at_most = shared.settings.connect_timeout;
        let most = shared.settings.concurrency;
        // The rest of the time is for asking elsewhere.
        let patience = shared.settings.timeout / 2;
        shared.homes.begin(Site { number, info, run, at_most, most, patience });
    }
    shared.is_up(number, connection.clone());
    beat.vouch(shared, number);
    let mut epoch = beat.epoch;
    let interval = INTERVAL.min(shared.settings.near_trust / 2);
    let mut asked = Instant::now();
    loop {
        if runtime::timeout(interval, shared.poked.notified()).await.is_some() {
            let rest = REST.saturating_sub(asked.elapsed());
            runtime::timeout(rest, shared.is_left(number)).await;
        }
        if !shared.is_current(number) {
            return;
        }
        asked = Instant::now();
        let sent = shared.unsettled.sending();
        let beat = runtime::timeout(
            shared.settings.near_trust,
            connect::beat(&mut connection, shared.whole.is_some()),
        );
        let beat = match beat.await {
            Some(Ok(beat)) => {
                sent.answered();
                beat
            }
            Some(Err(because)) => {
                tracing::warn!(target: "keyedcache", store = &*shared.common.name, %because, "connection given up");
                return;
            }
            None => {
                tracing::warn!(target: "keyedcache", store = &*shared.common.name, "the server does not answer");
                return;
            }
        };
        let Some(known) = identity else { return };
        if known.history != beat.history {
            // It took over, or another took over and gave back, under a connection that stands.
            if send_again(shared, &mut connection).await.is_err() {
                return;
            }
            known.history.clone_from(&beat.history);
            shared.common.pushed.lost();
        }
        if let Err(because) = keep_era(shared, &mut connection, known).await {
            tracing::warn!(target: "keyedcache", store = &*shared.common.name, %because, "no era");
            return;
        }
        beat.set(shared);
        shared.has_answered();
        beat.vouch(shared, number);
        if epoch != beat.epoch || !beat.is_serving {
            epoch = beat.epoch;
            shared.look();
        }
    }
}

impl Shared {
    /// Callers may use this connection.
    fn is_up(&self, number: u64, connection: MultiplexedConnection) {
        self.has_answered();
        tracing::debug!(target: "keyedcache", store = &*self.common.name, "connected");
        self.state.send_replace(State::Up { number, connection });
    }

    /// Returns when this connection is the one that callers use no more.
    async fn is_left(&self, number: u64) {
        let is_another =
            |state: &State| !matches!(state, State::Up { number: now, .. } if *now == number);
        drop(self.state.subscribe().wait_for(is_another).await);
    }

    /// Callers are to be told so at once.
    fn is_down(&self, because: &str) {
        let is_new = !matches!(&*self.state.borrow(), State::Down(before) if **before == *because);
        if is_new {
            tracing::warn!(target: "keyedcache", store = &*self.common.name, because, "no connection");
        }
        self.state.send_replace(State::Down(because.into()));
        self.look();
    }
}

/// Between three quarters and five quarters of a pause, so that not all come back at once.
fn jittered(pause: Duration) -> Duration {
    pause * 3 / 4 + pause / 2 * u32::from(u8::from_le_bytes(random_bytes())) / 255
}
