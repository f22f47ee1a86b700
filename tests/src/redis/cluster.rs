//! A cluster of three primaries and a replica of each.

use std::collections::BTreeSet;
use std::process::Command;

use super::{Moving, Options, Server};
use crate::watchdog::wait_until;

/// After so many milliseconds without an answer a server is taken for dead.
const NODE_TIMEOUT: u32 = 1000;

const PRIMARIES: usize = 3;

/// Six servers, each of which may be killed and restarted, or fail over to its replica. Dropped, all
/// are killed.
#[derive(Debug)]
pub struct Cluster {
    servers: Vec<Server>,
}

/// Which slots are whose, as a server sees it: the first, the last, the port of their primary, and
/// those of its replicas.
type View = BTreeSet<(i64, i64, u16, Vec<u16>)>;

impl Cluster {
    /// Starts one with the default options, and returns when it serves all slots and its replicas
    /// are in step: after about two seconds.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&Options::new())
    }

    /// The same with options; not for TLS.
    ///
    /// # Panics
    ///
    /// If `redis-cli` cannot make a cluster of the servers.
    #[must_use]
    pub fn start_with(options: &Options) -> Self {
        let options = Options { cluster: true, ..options.clone() }
            .directive(&format!("cluster-node-timeout {NODE_TIMEOUT}"))
            // Replicas that have heard nothing yet are not spoken of.
            .directive("repl-ping-replica-period 1")
            // Replicas that have been cut off take over, too.
            .directive("cluster-replica-validity-factor 0")
            // Each keeps its place, even when another primary has no replica left.
            .directive("cluster-allow-replica-migration no");
        let servers: Vec<_> = (0..2 * PRIMARIES).map(|_| options.clone().start()).collect();
        let mut create = Command::new("redis-cli");
        if let Some(login) = &options.login {
            let [user, password] = login.words();
            create.args(["--no-auth-warning", "--user", user, "--pass", password]);
        }
        create.args(["--cluster", "create"]).args(servers.iter().map(Server::address));
        create.args(["--cluster-replicas", "1", "--cluster-yes"]);
        let output = create.output().expect("redis-cli is installed with redis-server");
        assert!(output.status.success(), "{create:?}: {}", String::from_utf8_lossy(&output.stdout));
        let cluster = Self { servers };
        cluster.wait_whole();
        cluster
    }

    /// Its servers; at first the primaries come before the replicas.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Its URL: `redis+cluster://127.0.0.1:12345,127.0.0.1:23456,…`, with user and password before the
    /// first address.
    #[must_use]
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.servers.iter().map(Server::address).collect();
        let url = self.servers[0].url_at(&addresses.join(","));
        url.replacen("redis://", "redis+cluster://", 1)
    }

    /// The slot of a key.
    #[must_use]
    pub fn slot_of(&self, key: &str) -> u16 {
        let slot = self.any().command(&["CLUSTER", "KEYSLOT", key]).number();
        slot.try_into().expect("there are 16384 slots")
    }

    /// The server that serves a key.
    #[must_use]
    pub fn primary_of(&self, key: &str) -> &Server {
        self.primary_of_slot(self.slot_of(key))
    }

    /// The same for a slot.
    ///
    /// # Panics
    ///
    /// If none does.
    #[must_use]
    pub fn primary_of_slot(&self, slot: u16) -> &Server {
        let slot = i64::from(slot);
        let view = view(self.any());
        let owner = view.iter().find(|(first, last, ..)| (*first..=*last).contains(&slot));
        self.at(owner.unwrap_or_else(|| panic!("nobody serves slot {slot}: {view:?}")).2)
    }

    /// The servers that serve slots.
    #[must_use]
    pub fn primaries(&self) -> Vec<&Server> {
        let ports: BTreeSet<_> = view(self.any()).iter().map(|(_, _, port, _)| *port).collect();
        ports.into_iter().map(|port| self.at(port)).collect()
    }

    /// A replica of this primary that is up.
    ///
    /// # Panics
    ///
    /// If it has none.
    #[must_use]
    pub fn replica_of(&self, primary: &Server) -> &Server {
        let view = view(self.any());
        let mut replicas = view.iter().filter(|of| of.2 == primary.port()).flat_map(|of| &of.3);
        let replica = replicas.find(|port| self.at(**port).is_up());
        self.at(*replica.expect("it has a replica"))
    }

    /// Waits until another server has taken the place of one that was killed, and all know it.
    pub fn wait_failover(&self, killed: &Server) {
        wait_until("a failover", || {
            self.up().all(|server| view(server).iter().all(|of| of.2 != killed.port()))
        });
        self.wait_whole();
    }

    /// Waits until all servers that are up agree on who serves what, all slots are served, and
    /// replicas are in step.
    pub fn wait_whole(&self) {
        wait_until("a cluster that is whole", || {
            let views: BTreeSet<_> = self.up().map(view).collect();
            let view: Vec<_> = views.iter().flatten().collect();
            let is_in_it = |server: &Server| {
                view.iter().any(|of| of.2 == server.port() || of.3.contains(&server.port()))
            };
            views.len() == 1 && self.up().all(|server| is_in_it(server) && is_content(server))
        });
    }

    /// Has a replica take the place of its primary now, without a loss.
    pub fn promote(&self, replica: &Server) {
        replica.command(&["CLUSTER", "FAILOVER"]);
        wait_until("a promotion", || {
            self.up().all(|server| view(server).iter().any(|of| of.2 == replica.port()))
        });
        self.wait_whole();
    }

    /// Moves a slot with all its keys to another primary.
    pub fn move_slot(&self, slot: u16, to: &Server) {
        self.start_moving(slot, to).finish();
    }

    /// Begins to: from here on new keys of it are made at `to`, and old ones are where they are, so
    /// that those who ask for a key are sent on by `ASK` or not.
    pub fn start_moving<'c>(&'c self, slot: u16, to: &'c Server) -> Moving<'c> {
        Moving::start(self, slot, to)
    }

    pub(super) fn up(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| server.is_up())
    }

    fn any(&self) -> &Server {
        self.up().next().expect("one is up")
    }

    fn at(&self, port: u16) -> &Server {
        self.servers.iter().find(|server| server.port() == port).expect("it is one of them")
    }
}

fn view(server: &Server) -> View {
    let port =
        |node: &super::Reply| node.list()[1].number().try_into().expect("a port has sixteen bits");
    let slots = server.command(&["CLUSTER", "SLOTS"]);
    let ranges = slots.list().iter().map(|range| {
        let range = range.list();
        let mut replicas: Vec<_> = range[3..].iter().map(port).collect();
        replicas.sort_unstable();
        (range[0].number(), range[1].number(), port(&range[2]), replicas)
    });
    ranges.collect()
}

fn is_content(server: &Server) -> bool {
    let state = server.command(&["CLUSTER", "INFO"]).text();
    let replication = server.info("replication");
    state.contains("cluster_state:ok")
        && replication.get("master_link_status").is_none_or(|status| status == "up")
}
