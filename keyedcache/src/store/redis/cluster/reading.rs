//! Reading names, wherever their slots are.
//!
//! A node refuses to read for several slots at once, so each slot is asked for on its own: in one go to
//! each node.

use std::collections::HashMap;

use bytes::Bytes;
use redis::Value;

use super::request::{Request, What};
use super::topology::Topology;
use crate::error::Error;
use crate::store::redis::slots::slot;
use crate::store::redis::{fault, names};

pub(super) const OPERATION: &str = "load";

/// A name, and where it stands among all that are asked for.
pub(super) type Numbered = (usize, String);

/// What was found, in the places of the names.
pub(super) struct Found {
    pub(super) texts: Vec<Option<Bytes>>,
    /// The first bytes of records that were asked for no more: empty where nothing is, `None` where
    /// something is that is no text.
    pub(super) heads: Vec<(usize, Option<Bytes>)>,
}

/// The names of each slot.
pub(super) fn by_slot(names: impl IntoIterator<Item = Numbered>) -> HashMap<u16, Vec<Numbered>> {
    let mut slots: HashMap<u16, Vec<_>> = HashMap::new();
    for (at, name) in names {
        slots.entry(slot(&name)).or_default().push((at, name));
    }
    slots
}

/// What asks for whole texts.
pub(super) fn whole(names: impl IntoIterator<Item = Numbered>) -> Vec<Request> {
    let slots = by_slot(names).into_iter();
    slots.map(|(slot, names)| Request::new(slot, What::Read(names))).collect()
}

impl Topology {
    /// What stands under each name, by the word of the primary that serves it.
    pub(super) async fn read(&self, names: Vec<String>) -> Result<Vec<Option<Bytes>>, Error> {
        let mut found = Found { texts: vec![None; names.len()], heads: Vec::new() };
        let names = names.into_iter().enumerate();
        if self.settings.read_replicas {
            self.read_apart(names.collect(), &mut found).await?;
        } else {
            self.ask_into(whole(names), &mut found).await?;
        }
        Ok(found.texts)
    }

    /// Asks for texts and first bytes.
    pub(super) async fn ask_into(
        &self,
        requests: Vec<Request>,
        found: &mut Found,
    ) -> Result<(), Error> {
        let garbled = || fault::garbled(OPERATION, &self.common.name);
        for (what, reply) in self.dispatch(OPERATION, requests).await {
            match (what, reply?) {
                (What::Read(names), Value::Array(texts)) if names.len() == texts.len() => {
                    for ((at, name), text) in names.into_iter().zip(texts) {
                        let text = match text {
                            Value::BulkString(text) => Some(Bytes::from(text)),
                            _ => None,
                        };
                        let is_era = names::is_era(&name);
                        found.texts[at] = if is_era { self.counting(text) } else { text };
                    }
                }
                (What::Head { at, .. }, Value::BulkString(head)) => {
                    found.heads.push((at, Some(Bytes::from(head))));
                }
                (What::Head { at, .. }, Value::Nil) => found.heads.push((at, None)),
                _ => return Err(garbled()),
            }
        }
        Ok(())
    }
}
