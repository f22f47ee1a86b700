//! Finding out whether the server heeds preconditions: many compatible ones take them and ignore them.

use bytes::Bytes;

use super::client::{Only, Put};
use super::fault::Outcome;
use super::inner::Inner;
use super::patience::Patience;
use crate::error::{Error, ErrorKind};

/// What the probe object holds.
const PROBE: &[u8] = b"keyedcache asks by this object whether preconditions are heeded\n";

/// What is the matter where preconditions are not heeded.
pub(super) const WITHOUT_CONDITIONS: &str = "the server ignores If-None-Match and If-Match, so it is \
    used without leases: each process computes for itself, and neither counting nor adding what \
    nobody else has is possible; what is deleted or invalidated stays so";

/// No object has this `ETag`.
const NOBODYS: &str = "\"keyedcache-nobodys\"";

impl Inner {
    /// Whether the server heeds preconditions. The first time it is asked by two writes that it must
    /// refuse, three where the probe object was not there.
    pub(super) async fn heeds_conditions(&self, patience: &mut Patience) -> Result<bool, Error> {
        if let Some(heeds) = self.heeds.get() {
            return Ok(*heeds);
        }
        let asked = self.heeds.get_or_try_init(|| async {
            let refuses = [Only::IfAbsent, Only::IfAbsent, Only::IfSame(NOBODYS.into())];
            let mut heeds = self.is_refused(&refuses[0], patience).await?;
            if !heeds {
                heeds = self.is_refused(&refuses[1], patience).await?;
            }
            heeds = heeds && self.is_refused(&refuses[2], patience).await?;
            if !heeds {
                tracing::warn!(
                    target: "keyedcache", store = %self.bucket.settings.name,
                    "{}", WITHOUT_CONDITIONS
                );
            }
            Ok(heeds)
        });
        asked.await.copied()
    }

    /// The error that says so, if the server does not heed preconditions.
    pub(super) async fn require_conditions(&self) -> Result<(), Error> {
        if self.heeds_conditions(&mut self.patience()).await? {
            return Ok(());
        }
        Err(self.error(ErrorKind::Unsupported, "lease", WITHOUT_CONDITIONS))
    }

    async fn is_refused(&self, only: &Only, patience: &mut Patience) -> Result<bool, Error> {
        let name = self.names.of_probe();
        loop {
            match self.bucket.put(&name, Bytes::from_static(PROBE), only).await {
                Ok(put) => return Ok(matches!(put, Put::Refused)),
                Err(fault) if fault.outcome == Outcome::Unsupported => return Ok(false),
                Err(fault) => patience.again(fault).await?,
            }
        }
    }
}
