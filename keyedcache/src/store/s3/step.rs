//! Steps on one object: read it, decide, write it only if it is still the one that was read.
//!
//! - Of any number of steps that have read one content, one takes place; the others read again.
//! - A write whose answer is lost is looked for by its id before it is sent again, under the same
//!   condition.
//! - They are for servers that heed conditions; on others [`unheeded`](super::unheeded) goes without.

use super::body;
use super::client::{ETag, Got, Only, Put};
use super::fault::Outcome;
use super::inner::Inner;
use super::memory::Known;
use super::patience::Patience;
use super::place::{Place, WriteId};
use crate::clock::Moment;
use crate::error::{Error, ErrorKind};
use crate::store::StoredKey;

/// What a step decides, and what it answers if that takes place.
pub(super) enum Next<T> {
    /// Leave everything as it is.
    Stop(T),
    /// Write this.
    Write(Place, T),
    /// Remove the object.
    Remove(T),
}

/// What to do when a write may have taken place and something else stands there now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IfUnsure {
    /// Decide anew by what stands there.
    DecideAnew,
    /// Say that it is not known.
    SaySo,
}

/// What became of a write.
#[derive(Debug)]
pub(super) enum Written {
    Done(ETag),
    /// Something else stands there.
    Refused,
    /// Something else stands there, and may have replaced it.
    Unsure,
}

/// What a step did.
#[derive(Debug)]
pub(super) struct Stepped<T> {
    pub(super) answer: T,
    /// What stands there now, if it was written.
    pub(super) etag: Option<ETag>,
    /// When it was decided.
    pub(super) at: Moment,
}

impl Inner {
    /// Takes a step on the object of a key, starting from what is known of it, if anything.
    pub(super) async fn step<T>(
        &self,
        key: &StoredKey,
        start: Option<Known>,
        if_unsure: IfUnsure,
        mut decide: impl FnMut(Place, Moment) -> Result<Next<T>, Error>,
    ) -> Result<Stepped<T>, Error> {
        let name = self.names.of_key(key);
        let mut patience = self.patience();
        let mut start = start;
        let mut refusals = 0;
        loop {
            let known = match start.take() {
                Some(known) => known,
                None => self.read(&name, key, &mut patience).await?,
            };
            let at = self.bucket.clock.now();
            let written = match decide(known.place.at(at), at)? {
                Next::Stop(_) if !known.is_certain => continue,
                Next::Stop(answer) => return Ok(Stepped { answer, etag: None, at }),
                Next::Write(place, answer) => {
                    let etag = known.etag.as_ref();
                    (self.write(&name, etag, &place, &mut patience).await?, answer)
                }
                Next::Remove(answer) => match &known.etag {
                    None => return Ok(Stepped { answer, etag: None, at }),
                    Some(etag) if self.remove(&name, etag, &mut patience).await? => {
                        return Ok(Stepped { answer, etag: None, at });
                    }
                    Some(_) => (Written::Refused, answer),
                },
            };
            match written {
                (Written::Done(etag), answer) => {
                    return Ok(Stepped { answer, etag: Some(etag), at });
                }
                (Written::Unsure, _) if if_unsure == IfUnsure::SaySo => {
                    return Err(self.unknown("it may have taken place before something else did"));
                }
                (Written::Refused | Written::Unsure, _) => {}
            }
            // Somebody was faster. The first time, that one is most likely done.
            refusals += 1;
            if refusals > 1 && !patience.pause().await {
                let message = "others write the same key all the time";
                return Err(self.error(ErrorKind::Timeout, "save", message).with("key", key));
            }
        }
    }

    /// Reads the object of a key.
    pub(super) async fn read(
        &self,
        name: &str,
        key: &StoredKey,
        patience: &mut Patience,
    ) -> Result<Known, Error> {
        let (etag, place) = match self.get(name, None, None, patience).await? {
            Got::Found { etag, body } => {
                (Some(etag), body::read(key, &body).place.made_under_conditions())
            }
            Got::Absent | Got::Unchanged => (None, Place::empty(key.clone())),
        };
        Ok(Known { etag, place, is_certain: true })
    }

    /// Reads an object, again if that is needed.
    pub(super) async fn get(
        &self,
        name: &str,
        first: Option<u64>,
        unless: Option<&ETag>,
        patience: &mut Patience,
    ) -> Result<Got, Error> {
        loop {
            match self.bucket.get(name, first, unless).await {
                Ok(got) => return Ok(got),
                Err(fault) => patience.again(fault).await?,
            }
        }
    }

    /// Writes a place if the object is still the one that was read.
    async fn write(
        &self,
        name: &str,
        expected: Option<&ETag>,
        place: &Place,
        patience: &mut Patience,
    ) -> Result<Written, Error> {
        let id = WriteId::random();
        let body = body::write(place, id, self.bucket.clock.now());
        let mut may_stand = false;
        loop {
            let only = Only::if_still(expected);
            let fault = match self.bucket.put(name, body.clone(), &only).await {
                Ok(Put::Done(etag)) => return Ok(Written::Done(etag)),
                Ok(Put::Refused) if !may_stand => return Ok(Written::Refused),
                Ok(Put::Refused) => {
                    let found = self.get(name, None, None, patience).await?;
                    return Ok(whose(&place.key, found, id).map_or(Written::Unsure, Written::Done));
                }
                Err(fault) => fault,
            };
            if fault.outcome == Outcome::Unknown {
                may_stand = true;
                let Ok(found) = self.get(name, None, None, patience).await else {
                    return Err(self.unknown("the server did not answer").with_source(fault.error));
                };
                if !is_still(&found, expected) {
                    return Ok(whose(&place.key, found, id).map_or(Written::Unsure, Written::Done));
                }
            }
            let is_unknown = may_stand;
            if let Err(error) = patience.again(fault).await {
                return Err(if is_unknown {
                    self.unknown("the server did not answer").with_source(error)
                } else {
                    error
                });
            }
        }
    }

    /// Writes whatever stands there. Its outcome, if the answer is lost, is what can be seen of it.
    pub(super) async fn overwrite(&self, name: &str, place: &Place) -> Result<(), Error> {
        let id = WriteId::random();
        let body = body::write(place, id, self.bucket.clock.now());
        let mut patience = self.patience();
        loop {
            let put = self.bucket.put(name, body.clone(), &Only::Always).await;
            let Err(fault) = put else { return Ok(()) };
            if fault.outcome == Outcome::Unknown {
                // Sent again, it might replace what was saved after it.
                let found = self.get(name, None, None, &mut patience).await;
                if found.is_ok_and(|found| whose(&place.key, found, id).is_some()) {
                    return Ok(());
                }
                return Err(self.unknown("the server did not answer").with_source(fault.error));
            }
            patience.again(fault).await?;
        }
    }

    /// Removes the object if it is still the one that was read; whether it was.
    pub(super) async fn remove(
        &self,
        name: &str,
        expected: &ETag,
        patience: &mut Patience,
    ) -> Result<bool, Error> {
        let mut may_be_gone = false;
        loop {
            match self.bucket.delete(name, Some(expected)).await {
                Ok(true) => return Ok(true),
                // It is gone, most likely by what we sent before.
                Ok(false) => return Ok(may_be_gone),
                // It heeds conditions of writes, and not of these.
                Err(fault) if fault.outcome == Outcome::Unsupported => {
                    if !self.is_unchanged(name, Some(expected), patience).await? {
                        return Ok(false);
                    }
                    return self.bucket.delete(name, None).await.map_err(|fault| fault.error);
                }
                Err(fault) => {
                    may_be_gone |= fault.outcome == Outcome::Unknown;
                    patience.again(fault).await?;
                }
            }
        }
    }

    async fn is_unchanged(
        &self,
        name: &str,
        expected: Option<&ETag>,
        patience: &mut Patience,
    ) -> Result<bool, Error> {
        let found = self.get(name, Some(1), None, patience).await?;
        Ok(is_still(&found, expected))
    }
}

fn is_still(found: &Got, expected: Option<&ETag>) -> bool {
    match found {
        Got::Found { etag, .. } => Some(etag) == expected,
        Got::Absent => expected.is_none(),
        Got::Unchanged => false,
    }
}

/// The `ETag` of what was found, if this write made it.
fn whose(key: &StoredKey, found: Got, id: WriteId) -> Option<ETag> {
    match found {
        Got::Found { etag, body } if body::read(key, &body).write == Some(id) => Some(etag),
        _ => None,
    }
}
