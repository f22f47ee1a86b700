//! Replicas: servers that follow another, until that is cut.

use super::options::REPLICATION;
use super::{Options, Server};
use crate::watchdog::wait_until;

impl Server {
    /// Starts a replica of it that is otherwise like it, and returns when that has all it has. It
    /// refuses writes.
    ///
    /// # Panics
    ///
    /// If it is for TLS, which replicas do not know.
    #[must_use]
    pub fn replica(&self) -> Self {
        assert!(!self.options.tls, "replicas read without TLS");
        let options = Options { snapshot: None, ..self.options.clone() };
        let replica = options.directive(&format!("replicaof 127.0.0.1 {}", self.port())).start();
        replica.wait_in_step_with(self);
        replica
    }

    /// Makes it a replica of another.
    pub fn follow(&self, primary: &Self) {
        self.command(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
        self.wait_in_step_with(primary);
    }

    /// Makes it a primary, with what it has.
    pub fn lead(&self) {
        self.command(&["REPLICAOF", "NO", "ONE"]);
    }

    /// Whether it is a primary, as it thinks itself.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.info("replication")["role"] == "master"
    }

    /// Has none of its replicas hear of what is done from now on, until
    /// [`Server::restore_replication`]. They take it for dead, it serves everybody else.
    pub fn cut_replication(&self) {
        self.command(&["ACL", "DELUSER", REPLICATION]);
        wait_until("no replica", || self.info("replication")["connected_slaves"] == "0");
    }

    /// Lets its replicas come back, which they try each second.
    pub fn restore_replication(&self) {
        let allowed = [">replication", "+psync", "+replconf", "+ping"];
        self.command(&[&["ACL", "SETUSER", REPLICATION, "on"][..], &allowed].concat());
    }

    /// Waits until this replica has all that its primary has now.
    pub fn wait_in_step_with(&self, primary: &Self) {
        let offset = |server: &Self, what| {
            let info = server.info("replication");
            info.get(what).map(|offset| offset.parse::<u64>().expect("offsets are numbers"))
        };
        let awaited = offset(primary, "master_repl_offset");
        wait_until("a replica in step", || {
            let info = self.info("replication");
            info.get("master_link_status").is_some_and(|status| status == "up")
                && info["master_port"] == primary.port().to_string()
                && offset(self, "slave_repl_offset") >= awaited
        });
    }
}
