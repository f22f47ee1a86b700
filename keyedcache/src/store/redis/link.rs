//! The seam between the store and the servers behind it: what one server, a cluster, or what
//! sentinels watch over have in common.
//!
//! A link knows nodes, connections, slots and pushes; the store knows records, leases and
//! generations. A link tells [`Pushed`](super::pushed::Pushed) what servers push and when a
//! connection that pushes is lost.
//!
//! - Nothing waits longer than the link's own timeout, and nothing at all while no server can be
//!   reached: [`Unavailable`](crate::ErrorKind::Unavailable) at once.
//! - A request whose reply was lost is sent again once if it may be; else its outcome is unknown.
//! - On one slot and over one connection, requests reach the server in the order in which they were
//!   first polled: whoever reads after a write was given up reads what it wrote, or what it will never
//!   write. Between a connection that was lost and the next there is no order: the server may do what
//!   the first one brought after it has answered the second.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use redis::Value;

use super::script::Call;
use crate::error::Error;
use crate::store::Pending;

/// What answers each of several requests.
pub(super) type Replies<'a> = Pin<Box<dyn Future<Output = Vec<Result<Value, Error>>> + Send + 'a>>;

/// The servers behind a store.
pub(super) trait Link: fmt::Debug + Send + Sync {
    /// What stands under each name, `None` where nothing does or something that is no text. Where
    /// pushes come by registration, registers for all of them. From primaries.
    fn read(&self, names: Vec<String>) -> Pending<'_, Vec<Option<Bytes>>>;

    /// The same, but registers for no record and need not come in order with what is pushed. Names of
    /// generations and eras come last. It is
    /// [`read`](Self::read) where there is no shorter way.
    fn glance(&self, names: Vec<String>) -> Pending<'_, Vec<Option<Bytes>>> {
        self.read(names)
    }

    /// Calls scripts, each on the node that serves its keys; replies in their order, what a server
    /// refused among them as an error. Registers for what they read.
    fn call(&self, calls: Vec<Call>) -> Replies<'_>;

    /// Removes names, blindly and off the server's thread; says how many there were.
    fn unlink(&self, names: Vec<String>) -> Pending<'_, usize>;

    /// One step over the names of texts that fit a pattern, looking at about `count`; `from` is
    /// where the last step said to go on.
    fn scan<'a>(
        &'a self,
        pattern: String,
        from: Option<&'a str>,
        count: usize,
    ) -> Pending<'a, Step>;
}

/// One step of a scan.
#[derive(Debug)]
pub(super) struct Step {
    /// Names, some perhaps twice.
    pub(super) names: Vec<Vec<u8>>,
    /// Where to go on; `None` at the end.
    pub(super) next: Option<String>,
}
