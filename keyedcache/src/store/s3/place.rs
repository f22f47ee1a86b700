//! What one object holds: a record, a lease on its key, and the marker of a declined answer.

use crate::clock::Moment;
use crate::record::{GenerationToken, Record, RecordId, random_bytes};
use crate::store::{DECLINED_FOR, LeaseToken, Slot, StoredKey, Ttl};

/// What stands under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: StoredKey,
    pub(super) record: Option<Kept>,
    pub(super) lease: Option<Lease>,
    pub(super) declined_until: Option<Moment>,
    /// The generation of the key that the record was made under, where conditions are not heeded:
    /// it counts only while the key bears that. See [`unheeded`](super::unheeded).
    pub(super) under: Option<GenerationToken>,
}

/// A record and when its time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) record: Record,
    pub(super) until: Moment,
}

impl Kept {
    /// For how long from now on it is kept; `None` is for ever.
    pub(super) fn ttl(&self, now: Moment) -> Ttl {
        (self.until != Moment::NEVER).then(|| self.until.since(now))
    }
}

/// Who holds the lease, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) token: LeaseToken,
    pub(super) until: Moment,
}

/// Names one write: no two bodies are ever equal, since an `ETag` follows contents only and two who
/// have read one must not both replace it; and who is not told whether a write took place can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WriteId(pub(super) [u8; 16]);

impl WriteId {
    pub(super) fn random() -> Self {
        Self(random_bytes())
    }
}

impl Place {
    pub(super) fn empty(key: StoredKey) -> Self {
        Self { key, record: None, lease: None, declined_until: None, under: None }
    }

    pub(super) fn with_record(key: StoredKey, record: Record, until: Moment) -> Self {
        Self { record: Some(Kept { record, until }), ..Self::empty(key) }
    }

    /// The same without whatever has ended.
    pub(super) fn at(mut self, now: Moment) -> Self {
        self.record = self.record.filter(|kept| kept.until > now);
        self.lease = self.lease.filter(|lease| lease.until > now);
        self.declined_until = self.declined_until.filter(|until| *until > now);
        self
    }

    /// The same as it counts where conditions are heeded: of a record that was made without them
    /// nobody there can tell whether it was deleted.
    pub(super) fn made_under_conditions(self) -> Self {
        if self.under.is_none() { self } else { Self::empty(self.key) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.record.is_none() && self.lease.is_none() && self.declined_until.is_none()
    }

    pub(super) fn seen(&self) -> Option<RecordId> {
        self.record.as_ref().map(|kept| kept.record.id())
    }

    pub(super) fn is_leased_to(&self, token: LeaseToken) -> bool {
        self.lease.is_some_and(|lease| lease.token == token)
    }

    pub(super) fn leased(self, token: LeaseToken, until: Moment) -> Self {
        Self { lease: Some(Lease { token, until }), ..self }
    }

    pub(super) fn declined(self, now: Moment) -> Self {
        Self { lease: None, declined_until: Some(now.plus(DECLINED_FOR)), ..self }
    }

    pub(super) fn slot(&self) -> Slot {
        Slot {
            record: self.record.as_ref().map(|kept| kept.record.clone()),
            lease: self.lease.map(|lease| lease.token),
            declined: self.declined_until.is_some(),
        }
    }

    /// The record, if there is nothing else.
    pub(super) fn record_alone(&self) -> Option<&Kept> {
        let is_alone = self.lease.is_none() && self.declined_until.is_none();
        self.record.as_ref().filter(|_| is_alone)
    }
}

/// When what is kept for so long from `start` on ends.
pub(super) fn end_of(ttl: Ttl, start: Moment) -> Moment {
    ttl.map_or(Moment::NEVER, |ttl| start.plus(ttl))
}
