//! A round trip of every kind a store will be asked for, so that what is wrong is known early.

use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::record::{Record, RecordId, Scope};
use crate::store::{Guard, LeaseToken, Leasing};

use super::core::Core;

/// Saves, reads, leases and deletes a record of its own, and reads a generation of its own.
pub(super) async fn probe(core: &Core) -> Result<(), Error> {
    let store = &core.store;
    let name = format!("keyedcache-probe-{:x}", u128::from_le_bytes(RecordId::random().0));
    let key = core.stored_key(&Key::builder().part(name.as_str()).build());
    let scope = Scope::new(format!("{}::probe", core.prefix));
    let keys = std::slice::from_ref(&key);
    core.ask("read generations", store.generations(std::slice::from_ref(&scope))).await?;
    if !core.capabilities.stores {
        return Ok(());
    }
    if core.capabilities.leases {
        let token = LeaseToken::random(core.holder);
        let leasing =
            core.ask("lease", store.lease(&key, token, Duration::from_secs(1), None)).await?;
        if leasing != Leasing::Granted {
            return Err(wrong(core, "lease", "the lease of a new key was not granted"));
        }
    }
    let record = Record::from_bytes(Bytes::from_static(b"keyedcache probe, safe to delete"));
    let ttl = Some(Duration::from_mins(1));
    let save = store.save(&key, record.clone(), ttl, Guard::Always, &[]);
    if !core.ask("save", save).await? {
        return Err(wrong(core, "save", "an unconditional save did not take place"));
    }
    let loaded = core.ask("load", store.load(keys, &[])).await?;
    if loaded.slots.first().and_then(|slot| slot.record.as_ref()) != Some(&record) {
        return Err(wrong(core, "load", "what was saved was not read back"));
    }
    if core.ask("delete", store.delete(keys)).await? != 1 {
        return Err(wrong(core, "delete", "what was saved was not there to be deleted"));
    }
    core.ask("ask", store.require()).await
}

fn wrong(core: &Core, operation: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, operation, what).with("store", core.store.name())
}
