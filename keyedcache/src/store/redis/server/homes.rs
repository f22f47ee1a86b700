//! Connections that callers' own runtimes drive, for reads of which nobody keeps anything.
//!
//! A request that another thread sends and receives costs two switches of threads, more than all else
//! about a hit. So a runtime from which is read has a connection of its own, its *home*, beside the one
//! that all share. All but reads goes over the shared one, and so do reads of what is kept near.
//!
//! - A home is of use to nobody but the runtime that drives it, and ends with it: a caller elsewhere
//!   never waits for a runtime that is gone. What a home does not answer is asked for once more over the
//!   shared connection, in what is left of the time.
//! - It leads to the very process that the shared connection leads to, and goes when that one does: who
//!   has left a server that is primary no more reads nothing from it here either.
//! - It registers for generations and eras only, and keeps what it is told of them to itself: nothing is
//!   lost with it but time. A hit asks for the record and its lease, and is judged by generations that
//!   were current when the server answered; why, [`wire`](super::wire) says.
//! - Of all else is told over the shared connection, before or after what a home answers: therefore what
//!   is kept near is not read here.
//! - While a request over the shared connection has been given up and may still be done, nothing is read
//!   here: who reads after that reads what it wrote, or what it will never write.
//! - A runtime that can drive no sockets has no home, nor has another of its kind.
//! - A caller that blocks its thread until the answer comes has no home: that thread may be the only one
//!   that could drive it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::RwLock;
use redis::ConnectionInfo;
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;

use super::Shared;
use super::wire::Wire;
use crate::error::Error;
use crate::runtime;

/// How many runtimes have homes at most. Others' reads go over the shared connection.
const MOST: usize = 16;

/// From how many reads on a runtime gets one: not all live long enough.
const WORTH: u32 = 8;

/// For how long one that could not be made, or did not answer, is not made anew.
const REFUSED_FOR: Duration = Duration::from_secs(10);

/// The server process that the shared connection leads to.
pub(super) struct Site {
    /// Of the shared connection.
    pub(super) number: u64,
    pub(super) info: ConnectionInfo,
    /// Names the run of the process.
    pub(super) run: String,
    /// How long an attempt to connect may take.
    pub(super) at_most: Duration,
    /// How many requests may be under way at once over a home's connection.
    pub(super) most: usize,
    /// For how long an answer is waited for there.
    pub(super) patience: Duration,
}

/// The homes beside one shared connection after another.
#[derive(Default)]
pub(super) struct Homes {
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    /// `None` while nobody may have a home.
    site: Option<Arc<Site>>,
    homes: Vec<Home>,
}

struct Home {
    of: Id,
    ticket: u64,
    reads: AtomicU32,
    /// Tells the runtime's task that the connection is wanted; dropped, that the task may end.
    is_wanted: watch::Sender<bool>,
    standing: Standing,
}

enum Standing {
    /// It is not wanted yet, or is being made.
    Coming,
    Open(Arc<Wire>),
    /// Until then.
    Refused(Instant),
}

impl Homes {
    /// From now on homes may be made, beside this shared connection.
    pub(super) fn begin(&self, site: Site) {
        self.table.write().site = Some(Arc::new(site));
    }

    /// The shared connection is left, and so is every home.
    pub(super) fn end(&self, number: u64) {
        let gone = {
            let mut table = self.table.write();
            if table.site.as_ref().is_none_or(|site| site.number != number) {
                return;
            }
            table.site = None;
            std::mem::take(&mut table.homes)
        };
        drop(gone); // not while the table is locked
    }

    /// The connection of this runtime, if it has one; otherwise it may have one later.
    fn find(&self, shared: &Arc<Shared>, host: &Handle) -> Option<Arc<Wire>> {
        let of = host.id();
        let is_new = {
            let table = self.table.read();
            table.site.as_ref()?;
            match table.homes.iter().find(|home| home.of == of) {
                Some(Home { standing: Standing::Open(wire), .. }) => {
                    return Some(Arc::clone(wire));
                }
                Some(home) => {
                    home.count();
                    home.may_be_replaced()
                }
                None => table.homes.len() < MOST && runtime::may_drive_sockets(host),
            }
        };
        if is_new {
            self.admit(shared, host);
        }
        None
    }

    fn admit(&self, shared: &Arc<Shared>, host: &Handle) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let of = host.id();
        let mut table = self.table.write();
        let Some(site) = table.site.clone() else { return };
        let before = table.homes.iter().position(|home| home.of == of);
        if before.is_some_and(|at| !table.homes[at].may_be_replaced()) {
            return;
        }
        let before = before.map(|at| table.homes.swap_remove(at));
        if table.homes.len() >= MOST {
            return;
        }
        let (is_wanted, wanted) = watch::channel(false);
        let ticket = NEXT.fetch_add(1, Ordering::Relaxed);
        let (reads, standing) = (AtomicU32::new(1), Standing::Coming);
        table.homes.push(Home { of, ticket, reads, is_wanted, standing });
        // A runtime that has ended drops what it is given, and so takes the home back, at once.
        drop(table);
        drop(before);
        host.spawn(dwell(Dweller { shared: Arc::downgrade(shared), ticket }, site, wanted));
    }

    fn set(&self, ticket: u64, standing: Standing) {
        let mut table = self.table.write();
        if let Some(home) = table.homes.iter_mut().find(|home| home.ticket == ticket) {
            let before = std::mem::replace(&mut home.standing, standing);
            drop(table);
            drop(before);
        }
    }

    /// This home did not answer.
    fn refuse(&self, ticket: u64) {
        self.set(ticket, Standing::Refused(runtime::after(REFUSED_FOR)));
    }

    /// The connection of this home has ended; if it was not refused, there may be another.
    fn has_ended(&self, ticket: u64) {
        let mut table = self.table.write();
        let is_it =
            |home: &Home| home.ticket == ticket && matches!(home.standing, Standing::Open(_));
        let at = table.homes.iter().position(is_it);
        let gone = at.map(|at| table.homes.swap_remove(at));
        drop(table);
        drop(gone);
    }

    fn close(&self, ticket: u64) {
        let mut table = self.table.write();
        let at = table.homes.iter().position(|home| home.ticket == ticket);
        let gone = at.map(|at| table.homes.swap_remove(at));
        drop(table);
        drop(gone);
    }
}

impl Home {
    /// Counts a read for which it was not there; enough of them make it wanted.
    fn count(&self) {
        if self.reads.fetch_add(1, Ordering::Relaxed) + 1 == WORTH {
            self.is_wanted.send_replace(true);
        }
    }

    fn may_be_replaced(&self) -> bool {
        matches!(self.standing, Standing::Refused(until) if until <= Instant::now())
    }
}

/// What a runtime's task is there for; dropped, with the task or with the runtime, it ends the home.
struct Dweller {
    shared: Weak<Shared>,
    ticket: u64,
}

impl Drop for Dweller {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.homes.close(self.ticket);
        }
    }
}

/// Makes a home of the runtime that runs it, once it is wanted, and stays until it is given up.
async fn dwell(dweller: Dweller, site: Arc<Site>, mut wanted: watch::Receiver<bool>) {
    let Dweller { shared, ticket } = &dweller;
    let patience = site.patience;
    if wanted.wait_for(|is_wanted| *is_wanted).await.is_err() {
        return;
    }
    if !runtime::drives_sockets() {
        tracing::debug!(target: "keyedcache", "the caller's runtime was built without `enable_io`");
        return;
    }
    let set = |standing| {
        if let Some(shared) = shared.upgrade() {
            shared.homes.set(*ticket, standing);
        }
    };
    let opening = async move {
        let opening = Wire::connect(&site.info, &site.run, site.most);
        let opened = runtime::timeout(site.at_most, opening).await;
        opened.unwrap_or_else(|| Err("no connection in time".to_owned()))
    };
    // A task of its own, so that a panic in it is one attempt that failed.
    let opened = tokio::spawn(opening).await;
    match opened.unwrap_or_else(|panic| Err(panic.to_string())) {
        Ok((wire, driving)) => {
            let (watched_by, ticket) = (Weak::clone(shared), *ticket);
            runtime::background().spawn(wire.watch(patience, move || {
                if let Some(shared) = watched_by.upgrade() {
                    shared.homes.refuse(ticket);
                }
            }));
            set(Standing::Open(Arc::new(wire)));
            driving.await;
            if let Some(shared) = shared.upgrade() {
                shared.homes.has_ended(ticket);
            }
        }
        Err(because) => {
            tracing::debug!(target: "keyedcache", because, "no connection of the caller's runtime");
            set(Standing::Refused(runtime::after(REFUSED_FOR)));
        }
    }
    drop(wanted.wait_for(|_| false).await);
}

impl Shared {
    /// What stands under each name; registers for none that is a record's.
    pub(super) async fn glance(
        self: &Arc<Self>,
        names: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let mut left = self.settings.timeout;
        if let Some(wire) = self.way_home() {
            let began = Instant::now();
            if let Some(texts) = wire.read(names).await {
                return Ok(texts);
            }
            left = left.saturating_sub(began.elapsed());
        }
        // Boxed, so that the future of what is answered at home is small.
        Box::pin(self.read(names, left)).await
    }

    fn way_home(self: &Arc<Self>) -> Option<Arc<Wire>> {
        if self.is_suspect.load(Ordering::Acquire) || !self.unsettled.is_nothing() {
            return None;
        }
        self.homes.find(self, &runtime::host()?)
    }
}
