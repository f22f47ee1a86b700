//! Real Redis servers for tests, on free ports and in folders of their own.
//!
//! - No server outlives its test: dropped it is killed and collected, and the kernel kills it when
//!   the test is killed, as it does all [`children`](crate::child).
//! - What starts a server returns when it answers, and what changes one when the change is there;
//!   nothing waits longer than [`PATIENCE`](crate::watchdog::PATIENCE).
//! - Tests command a server through its unix socket, whatever happens to its ports, and over a new
//!   connection each time. What they command is in its statistics too.

mod certificates;
mod cluster;
mod moving;
mod options;
mod replica;
mod resp;
mod sentinel;
mod server;

pub use cluster::Cluster;
pub use moving::Moving;
pub use options::Options;
pub use resp::Reply;
pub use sentinel::Sentinels;
pub use server::Server;
