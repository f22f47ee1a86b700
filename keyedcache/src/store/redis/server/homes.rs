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
//! - It registers for nothing, so nothing is lost with it but time. What is pushed comes over the shared
//!   connection, before or after what a home answers: therefore what is kept near is not read here.
//! - While a request over the shared connection has been given up and may still be done, nothing is read
//!   here: who reads after that reads what it wrote, or what it will never write.
//! - A caller that blocks its thread until the answer comes has no home: that thread may be the only one
//!   that could drive it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::RwLock;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionInfo, Pipeline, PushKind, Value};
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;

use super::Shared;
use super::asking::{mget, texts};
use super::connect::{field, open, text};
use crate::error::Error;
use crate::runtime;
use crate::store::redis::fault;

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
    Open(MultiplexedConnection),
    /// Until then; for as long as the runtime lives, if none is said.
    Refused(Option<Instant>),
}

/// A home's connection.
struct Way {
    connection: MultiplexedConnection,
    ticket: u64,
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
            let is_gone = |home: &mut Home| !matches!(home.standing, Standing::Refused(None));
            table.homes.extract_if(.., is_gone).collect::<Vec<_>>()
        };
        drop(gone); // not while the table is locked
    }

    /// The connection of this runtime, if it has one; otherwise it may have one later.
    fn find(&self, shared: &Arc<Shared>, host: &Handle) -> Option<Way> {
        let of = host.id();
        let is_new = {
            let table = self.table.read();
            table.site.as_ref()?;
            match table.homes.iter().find(|home| home.of == of) {
                Some(Home { standing: Standing::Open(connection), ticket, .. }) => {
                    return Some(Way { connection: connection.clone(), ticket: *ticket });
                }
                Some(home) => {
                    home.count();
                    home.may_be_replaced()
                }
                None => true,
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
        self.set(ticket, Standing::Refused(Some(runtime::after(REFUSED_FOR))));
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
        matches!(self.standing, Standing::Refused(Some(until)) if until <= Instant::now())
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
    if wanted.wait_for(|is_wanted| *is_wanted).await.is_err() {
        return;
    }
    let opening = tokio::spawn(connect(Weak::clone(&dweller.shared), dweller.ticket, site));
    let standing = match opening.await {
        Ok(Ok(connection)) => Standing::Open(connection),
        Ok(Err(because)) => {
            tracing::debug!(target: "keyedcache", because, "no connection of the caller's runtime");
            Standing::Refused(Some(runtime::after(REFUSED_FOR)))
        }
        // The runtime has no I/O, which can be told by no other means.
        Err(_) => Standing::Refused(None),
    };
    if let Some(shared) = dweller.shared.upgrade() {
        shared.homes.set(dweller.ticket, standing);
    }
    drop(wanted.wait_for(|_| false).await);
}

/// A connection to the same server process, driven by the runtime this is polled in.
async fn connect(
    shared: Weak<Shared>,
    ticket: u64,
    site: Arc<Site>,
) -> Result<MultiplexedConnection, String> {
    let settings = shared.upgrade().ok_or("the store has been closed")?.settings.clone();
    let client = open(&settings, site.info.clone())?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None) // ours is around all of this
        .set_response_timeout(None)
        .set_pipeline_buffer_size(settings.concurrency)
        .set_push_sender(move |push: redis::PushInfo| {
            if push.kind == PushKind::Disconnection
                && let Some(shared) = shared.upgrade()
            {
                shared.homes.close(ticket);
            }
            Ok::<_, ()>(())
        });
    let opening = async {
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| fault::words(&error))?;
        let mut setup = Pipeline::new();
        setup.cmd("CLIENT").arg("SETNAME").arg("keyedcache");
        setup.cmd("INFO").arg("server");
        let replies = connection.send_packed_commands(&setup, 0, setup.len()).await;
        let replies = replies.map_err(|error| fault::words(&error))?;
        let server = replies.into_iter().nth(1).and_then(text).unwrap_or_default();
        match field(&server, "run_id") {
            Some(run) if run == site.run => Ok(connection),
            _ => Err("another server answers".to_owned()),
        }
    };
    let opened = runtime::timeout(settings.connect_timeout, opening).await;
    opened.unwrap_or_else(|| Err("no connection in time".to_owned()))
}

impl Shared {
    /// What stands under each name; registers for none.
    pub(super) async fn glance(
        self: &Arc<Self>,
        names: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let timeout = self.settings.timeout;
        let Some(way) = self.way_home() else { return self.read(names, timeout).await };
        let (half, ticket) = (timeout / 2, way.ticket);
        match runtime::timeout(half, self.read_at_home(way, names)).await {
            Some(Some(texts)) => return Ok(texts),
            Some(None) => {}
            None => self.homes.refuse(ticket),
        }
        self.read(names, timeout - half).await
    }

    fn way_home(self: &Arc<Self>) -> Option<Way> {
        if self.is_suspect.load(Ordering::Acquire) || !self.unsettled.is_nothing() {
            return None;
        }
        self.homes.find(self, &runtime::host()?)
    }

    /// `None` if it has to be read another way.
    async fn read_at_home(&self, way: Way, names: &[String]) -> Option<Vec<Option<Bytes>>> {
        let _permit = self.permits.try_acquire().ok()?;
        let Way { mut connection, ticket } = way;
        match connection.send_packed_command(&mget(names)).await {
            Ok(Value::ServerError(_)) => None,
            Ok(reply) => texts(reply).filter(|texts| texts.len() == names.len()),
            Err(_) => {
                self.homes.close(ticket);
                None
            }
        }
    }
}
