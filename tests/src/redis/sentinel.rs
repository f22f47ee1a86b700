//! A primary and its replica under the eyes of three sentinels.

use super::{Options, Reply, Server};
use crate::watchdog::wait_until;

/// By which name the sentinels know the primary.
const NAME: &str = "tests";

/// After so many milliseconds without an answer a sentinel takes a server for dead. The third one
/// lets others go first, since three who each vote for themselves try again only after seconds.
const DOWN_AFTER: [u32; 3] = [800, 800, 2000];

/// Two servers, and three sentinels of which two must agree. Dropped, all are killed.
#[derive(Debug)]
pub struct Sentinels {
    servers: [Server; 2],
    sentinels: [Server; 3],
}

impl Sentinels {
    /// Starts them with the default options, and returns when they know of each other and of the
    /// replica: after about a second.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&Options::new())
    }

    /// The same, the two servers with options; not for TLS.
    #[must_use]
    pub fn start_with(options: &Options) -> Self {
        let options = options.clone().directive("repl-ping-replica-period 1");
        let primary = options.start();
        let replica = primary.replica();
        let sentinels = DOWN_AFTER.map(|down_after| sentinel(&primary, down_after));
        let all = Self { servers: [primary, replica], sentinels };
        for sentinel in &all.sentinels {
            Self::hasten(sentinel);
        }
        all.wait_whole();
        all
    }

    /// The servers; at first the primary and its replica.
    #[must_use]
    pub fn servers(&self) -> &[Server; 2] {
        &self.servers
    }

    /// The three sentinels.
    #[must_use]
    pub fn sentinels(&self) -> &[Server; 3] {
        &self.sentinels
    }

    /// The name of the primary: `tests`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The URL of whatever is the primary: `redis+sentinel://127.0.0.1:12345,…/tests`, with user and
    /// password of the servers before the first address.
    #[must_use]
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.sentinels.iter().map(Server::address).collect();
        let url = self.servers[0].url_at(&addresses.join(","));
        format!("{}/{NAME}", url.replacen("redis://", "redis+sentinel://", 1))
    }

    /// The primary, as the sentinels that are up agree.
    #[must_use]
    pub fn primary(&self) -> &Server {
        let mut found = None;
        wait_until("sentinels that agree", || {
            let mut ports = self.up().map(primary_port);
            found = ports.next().filter(|first| ports.all(|port| port == *first));
            found.is_some()
        });
        let of = |port: u16| self.servers.iter().find(|server| server.port() == port);
        found.and_then(of).expect("it is one of them")
    }

    /// The other one.
    #[must_use]
    pub fn replica(&self) -> &Server {
        let primary = self.primary();
        self.servers.iter().find(|other| other.port() != primary.port()).expect("there are two")
    }

    /// Waits until the sentinels have put another in the place of a primary that was killed.
    pub fn wait_failover(&self, killed: &Server) {
        wait_until("a failover", || {
            self.up().all(|sentinel| primary_port(sentinel) != killed.port())
                && self.primary().is_primary()
        });
    }

    /// Has the replica take the place of the primary now.
    pub fn fail_over(&self) {
        let old = self.primary();
        self.sentinels[0].command(&["SENTINEL", "FAILOVER", NAME]);
        self.wait_failover(old);
        self.wait_whole();
    }

    /// Waits until the sentinels that are up see a primary, a replica that is in step, and each other.
    pub fn wait_whole(&self) {
        let others = self.up().count() - 1;
        wait_until("sentinels that see all", || {
            self.up().all(|sentinel| {
                let replicas = sentinel.command(&["SENTINEL", "REPLICAS", NAME]);
                let sees = |fields: &Reply| {
                    field(fields, "flags") == "slave" && field(fields, "master-link-status") == "ok"
                };
                let primary = sentinel.command(&["SENTINEL", "MASTER", NAME]);
                field(&primary, "flags") == "master"
                    && field(&primary, "num-other-sentinels")
                        .parse()
                        .is_ok_and(|n: usize| n >= others)
                    && replicas.list().iter().any(sees)
            })
        });
        self.replica().wait_in_step_with(self.primary());
    }

    /// Has a sentinel look around more often than each ten seconds.
    fn hasten(sentinel: &Server) {
        sentinel.command(
            &[
                ["SENTINEL", "DEBUG"],
                ["info-period", "200"],
                // Well below the time after which a server that has just been promoted would be
                // taken for dead; and a fifth of the age at which what is known of a replica, which
                // they ask for once a second by then, is too old to promote it.
                ["ping-period", "300"],
                // Four of these are what they let pass before they turn a replica back that has been
                // promoted, which the one that promoted it sees only after a second.
                ["publish-period", "500"],
                ["ask-period", "100"],
            ]
            .concat(),
        );
    }

    fn up(&self) -> impl Iterator<Item = &Server> {
        self.sentinels.iter().filter(|sentinel| sentinel.is_up())
    }
}

fn sentinel(primary: &Server, down_after: u32) -> Server {
    let mut options = Options { sentinel: true, ..Options::default() }
        .directive(&format!("sentinel monitor {NAME} 127.0.0.1 {} 2", primary.port()))
        .directive(&format!("sentinel down-after-milliseconds {NAME} {down_after}"))
        .directive(&format!("sentinel failover-timeout {NAME} 2500"));
    if let Some(login) = &primary.options.login {
        let [user, password] = login.words();
        options = options
            .directive(&format!("sentinel auth-user {NAME} {user}"))
            .directive(&format!("sentinel auth-pass {NAME} {password}"));
    }
    options.start()
}

fn primary_port(sentinel: &Server) -> u16 {
    let address = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
    address.list()[1].number().try_into().expect("a port has sixteen bits")
}

/// One of the fields that follow their names.
fn field(fields: &Reply, name: &str) -> String {
    let mut pairs = fields.list().chunks(2);
    let pair = pairs.find(|pair| pair[0].text() == name);
    pair.map(|pair| pair[1].text()).unwrap_or_default()
}
