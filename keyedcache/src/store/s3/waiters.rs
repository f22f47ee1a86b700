//! Waiting for a lease to end: S3 tells nothing, so the object is read again and again, by one poller
//! for each key of this process.
//!
//! Pauses grow from 20 ms to a second, with chance in them; a read of what has not changed transfers
//! no body. A poller ends when nobody waits any more, or no lease stands.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::body;
use super::client::{ETag, Got};
use super::inner::Inner;
use super::patience::pause;
use super::place::Lease;
use crate::error::Error;
use crate::runtime;
use crate::store::{LeaseToken, StoredKey};

/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<HashMap<StoredKey, Arc<Poller>>>);

/// Who looks at one key for all who wait.
#[derive(Debug)]
struct Poller {
    seen: watch::Sender<Sight>,
    /// Somebody has a reason to think that it is worth looking now.
    look: Notify,
}

/// What a poller saw last.
#[derive(Clone, Copy, Debug, Default)]
struct Sight {
    /// Which look it was; zero before the first.
    look: u64,
    lease: Option<LeaseToken>,
}

impl Inner {
    /// Returns when the lease no longer stands, as far as can be told, or after `at_most`.
    pub(super) async fn wait_for_end(
        self: Arc<Self>,
        key: StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) {
        let (poller, mut sights) = self.poller(&key);
        // What was seen before may be older than the lease.
        let already = sights.borrow().look;
        if already > 0 {
            poller.look.notify_one();
        }
        // Its channel closes when the poller ends, unless somebody else keeps it.
        drop(poller);
        let ended = sights.wait_for(|sight| sight.look > already && sight.lease != Some(lease));
        // An error means that the poller has ended, as it does when no lease stands.
        let _ = runtime::timeout(at_most, ended).await;
    }

    /// Has the poller of a key look at once, if there is one: this process has changed what it sees.
    pub(super) fn look_again(&self, key: &StoredKey) {
        if let Some(poller) = self.waiters.0.lock().get(key) {
            poller.look.notify_one();
        }
    }

    fn poller(self: &Arc<Self>, key: &StoredKey) -> (Arc<Poller>, watch::Receiver<Sight>) {
        let mut pollers = self.waiters.0.lock();
        if let Some(poller) = pollers.get(key) {
            return (Arc::clone(poller), poller.seen.subscribe());
        }
        let (seen, sights) = watch::channel(Sight::default());
        let poller = Arc::new(Poller { seen, look: Notify::new() });
        pollers.insert(key.clone(), Arc::clone(&poller));
        runtime::background().spawn(poll(Arc::clone(self), key.clone(), Arc::clone(&poller)));
        (poller, sights)
    }

    /// Ends a poller if nobody waits, or it has seen that no lease stands.
    fn dismiss(&self, key: &StoredKey, poller: &Poller, nothing_stands: bool) -> bool {
        let mut pollers = self.waiters.0.lock();
        let is_done = nothing_stands || poller.seen.receiver_count() == 0;
        if is_done {
            pollers.remove(key);
        }
        is_done
    }
}

/// The lease that the object of a key says, which is not sent again while it is the one seen before.
async fn look_at_object(
    inner: &Inner,
    name: &str,
    key: &StoredKey,
    seen: &mut Option<(ETag, Option<Lease>)>,
) -> Result<Option<Lease>, Error> {
    let unless = seen.as_ref().map(|(etag, _)| etag);
    match inner.bucket.get(name, None, unless).await {
        Ok(Got::Found { etag, body }) => {
            let lease = body::read(key, &body).place.lease;
            *seen = Some((etag, lease));
            Ok(lease)
        }
        Ok(Got::Unchanged) => Ok(seen.as_ref().and_then(|(_, lease)| *lease)),
        Ok(Got::Absent) => Ok(None),
        Err(fault) => Err(fault.error),
    }
}

async fn poll(inner: Arc<Inner>, key: StoredKey, poller: Arc<Poller>) {
    let name = inner.names.of_key(&key);
    let mut seen = None;
    for look in 1.. {
        let standing = if inner.is_unheeded() {
            inner.own_lease(&key).await
        } else {
            look_at_object(&inner, &name, &key, &mut seen).await
        };
        let now = inner.bucket.clock.now();
        let standing = standing.map(|lease| lease.filter(|lease| lease.until > now));
        let mut at_most = LONGEST;
        let mut nothing_stands = false;
        if let Ok(lease) = standing {
            nothing_stands = lease.is_none();
            at_most = lease.map_or(LONGEST, |lease| lease.until.since(now).min(LONGEST));
            let lease = lease.map(|lease| lease.token);
            // Told and dismissed at once: who comes after that begins anew.
            let done = {
                poller.seen.send_replace(Sight { look, lease });
                inner.dismiss(&key, &poller, nothing_stands)
            };
            if done {
                return;
            }
        } else if inner.dismiss(&key, &poller, nothing_stands) {
            return;
        }
        let tries = u32::try_from(look - 1).unwrap_or(u32::MAX);
        let pause = pause(tries, LONGEST).min(at_most.max(Duration::from_millis(1)));
        let _ = runtime::timeout(pause, poller.look.notified()).await;
    }
}
