//! A slot on its way from one server of a cluster to another.

use super::{Cluster, Server};

/// A slot that is being moved; it stays half-way until [`Moving::finish`].
#[derive(Debug)]
#[must_use = "a slot stays half-way until it is told to finish"]
pub struct Moving<'c> {
    cluster: &'c Cluster,
    slot: String,
    from: &'c Server,
    to: &'c Server,
}

impl<'c> Moving<'c> {
    pub(super) fn start(cluster: &'c Cluster, slot: u16, to: &'c Server) -> Self {
        let from = cluster.primary_of_slot(slot);
        let slot = slot.to_string();
        to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
        from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
        Self { cluster, slot, from, to }
    }

    /// Moves some of its keys; how many there were to move, at most `most`.
    #[allow(clippy::must_use_candidate)] // that they are moved may be all that is asked
    pub fn keys(&self, most: usize) -> usize {
        let keys = ["CLUSTER", "GETKEYSINSLOT", &self.slot, &most.to_string()];
        let keys = self.from.command(&keys);
        let keys: Vec<_> = keys.list().iter().map(super::Reply::text).collect();
        if keys.is_empty() {
            return 0;
        }
        let port = self.to.port().to_string();
        let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000"];
        if let Some(login) = &self.to.options.login {
            migrate.push("AUTH2");
            migrate.extend(login.words());
        }
        migrate.push("KEYS");
        migrate.extend(keys.iter().map(String::as_str));
        self.from.command(&migrate); // one that has expired meanwhile is no error
        keys.len()
    }

    /// Moves what is left of it, and has all servers know where it is now.
    pub fn finish(self) {
        while self.keys(100) > 0 {}
        let to = id(self.to);
        let others = self.cluster.primaries();
        let others = others
            .into_iter()
            .filter(|other| ![self.to.port(), self.from.port()].contains(&other.port()));
        // First who has it now, so that it never is nobody's.
        for server in [self.to, self.from].into_iter().chain(others) {
            server.command(&["CLUSTER", "SETSLOT", &self.slot, "NODE", &to]);
        }
        self.cluster.wait_whole();
    }
}

/// Its name in the cluster.
fn id(server: &Server) -> String {
    server.command(&["CLUSTER", "MYID"]).text()
}
