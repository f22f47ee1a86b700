//! Asking for leases, and waiting for those of others to end.

use std::time::{Duration, Instant};

use redis::Value;

use super::asking::{Short, TRIES, same_short, slot_of, with_short};
use super::keeping::millis;
use super::script::{Call, LEASE, STANDING};
use super::waiters::Heard;
use super::{RedisStore, names, records};
use crate::error::Error;
use crate::record::RecordId;
use crate::runtime;
use crate::store::{LeaseToken, Leasing, StoredKey};

impl RedisStore {
    /// Asks for a lease; where another's stands, is told of its end from then on.
    pub(super) async fn ask_lease(
        &self,
        key: &StoredKey,
        token: LeaseToken,
        ttl: Duration,
        seen: Option<RecordId>,
    ) -> Result<Leasing, Error> {
        let lease = Call::new("lease", &LEASE, names::all(key))
            .arg(token.to_bytes())
            .arg(millis(Some(ttl)))
            .arg(seen.map(|id| id.0.to_vec()).unwrap_or_default())
            .repeatable();
        let mut short: Option<Short> = None;
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let watching = self.pushed.waiters.prepare(key);
            let lease = with_short(lease.clone(), short.take());
            let (which, parts) = self.ask_which(lease).await?;
            match (which, parts.as_slice()) {
                (1, _) => return Ok(Leasing::Granted),
                (2, [Value::BulkString(by), Value::Int(left)]) => {
                    let by = records::token(by).ok_or_else(|| self.garbled("lease"))?;
                    let remaining = Duration::from_millis(u64::try_from(*left).unwrap_or_default());
                    watching.keep(by, lasting(*left));
                    return Ok(Leasing::Held { by, remaining });
                }
                (3, _) => {
                    let found = self.texts("lease", parts)?;
                    short = same_short(&found, seen);
                    if short.is_none() || tries == 0 {
                        return Ok(Leasing::Changed(slot_of(found)));
                    }
                }
                _ => return Err(self.garbled("lease")),
            }
        }
    }

    /// Waits until the lease does not stand any more.
    pub(super) async fn wait(
        &self,
        key: &StoredKey,
        lease: LeaseToken,
        at_most: Duration,
    ) -> Result<(), Error> {
        // The server tells what remains in whole milliseconds: to ask before the last has passed would
        // find the lease standing.
        let until = runtime::after(at_most.saturating_add(Duration::from_millis(1)));
        let waiters = &self.pushed.waiters;
        let (watching, mut is_known) = match waiters.claim(key, lease) {
            Some(watching) => (watching, true),
            None => (waiters.watch(key), false),
        };
        loop {
            match watching.heard() {
                Heard::Over => return Ok(()),
                Heard::LeaseChanged => is_known = false,
                Heard::Nothing => {}
            }
            if !is_known {
                let call = Call::new("wait", &STANDING, names::all(key));
                match self.ask(call.arg(lease.to_bytes()).repeatable()).await? {
                    Value::Int(left) if left > 0 => watching.stands(lease, lasting(left)),
                    _ => return Ok(()),
                }
                is_known = true;
                continue;
            }
            let end = watching.end().map_or(until, |end| end.min(until));
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            watching.listen(left).await;
        }
    }
}

/// So many milliseconds, and the one that was begun.
fn lasting(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or_default() + 1)
}
