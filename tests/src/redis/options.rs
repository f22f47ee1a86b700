//! How a server is to be.

use std::path::Path;
use std::time::Duration;

use super::Server;

/// The user by whose name replicas read from their primaries; see [`Server::cut_replication`].
pub(super) const REPLICATION: &str = "replication";

/// A server to be started; by default one that asks for no password and saves nothing by itself.
#[derive(Clone, Debug, Default)]
#[must_use = "a server is there only once it is started"]
pub struct Options {
    pub(super) directives: Vec<String>,
    pub(super) login: Option<Login>,
    pub(super) tls: bool,
    pub(super) cluster: bool,
    pub(super) sentinel: bool,
    pub(super) snapshot: Option<Vec<u8>>,
}

/// Who may use it.
#[derive(Clone, Debug)]
pub(super) struct Login {
    /// Empty for the default user.
    pub(super) user: &'static str,
    pub(super) password: &'static str,
}

impl Login {
    /// User and password, as commands and programs take them.
    pub(super) fn words(&self) -> [&'static str; 2] {
        [if self.user.is_empty() { "default" } else { self.user }, self.password]
    }
}

impl Options {
    /// The default ones.
    pub fn new() -> Self {
        Self::default()
    }

    /// The default user has this password.
    pub fn password(self, password: &'static str) -> Self {
        let login = Some(Login { user: "", password });
        Self { login, ..self }.directive(&format!("requirepass {password}"))
    }

    /// Only this user may use it, who may do everything.
    pub fn user(self, user: &'static str, password: &'static str) -> Self {
        let login = Some(Login { user, password });
        Self { login, ..self }
            .directive("user default off")
            .directive(&format!("user {user} on >{password} ~* &* +@all"))
    }

    /// It uses at most so much memory (`10mb`), by this policy (`allkeys-lru`).
    pub fn max_memory(self, memory: &str, policy: &str) -> Self {
        self.directive(&format!("maxmemory {memory}"))
            .directive(&format!("maxmemory-policy {policy}"))
    }

    /// Its port is for TLS, with [a certificate](Server::certificate) for `localhost` and 127.0.0.1.
    pub fn tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// It begins with what [`Server::snapshot`] has taken.
    pub fn snapshot(self, snapshot: Vec<u8>) -> Self {
        Self { snapshot: Some(snapshot), ..self }
    }

    /// It takes so long over each key that it loads, and says meanwhile that it does: `-LOADING`.
    pub fn slow_to_load(self, key: Duration) -> Self {
        self.directive(&format!("key-load-delay {}", key.as_micros()))
            .directive("loading-process-events-interval-bytes 1024")
    }

    /// Any line of a configuration file; of one directive the last line counts.
    pub fn directive(mut self, line: &str) -> Self {
        self.directives.push(line.to_owned());
        self
    }

    /// Starts it.
    #[must_use]
    pub fn start(self) -> Server {
        Server::new(self)
    }

    /// The text of its configuration file.
    pub(super) fn file(&self, folder: &Path, port: u16, bus: u16) -> String {
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", folder.display()),
            format!("logfile {}", folder.join(Server::LOG).display()),
            format!("unixsocket {}", folder.join(Server::SOCKET).display()),
            "save \"\"".to_owned(),
            "enable-debug-command yes".to_owned(),
        ];
        if !self.sentinel {
            // A replica has all of its primary at once, and comes back at once.
            lines.push("repl-diskless-sync-delay 0".to_owned());
            lines.push(format!("user {REPLICATION} on >{REPLICATION} +psync +replconf +ping"));
            lines.push(format!("masteruser {REPLICATION}"));
            lines.push(format!("masterauth {REPLICATION}"));
        }
        if self.tls {
            lines.extend(["port 0".to_owned(), format!("tls-port {port}")]);
            for (directive, name) in super::certificates::FILES {
                lines.push(format!("{directive} {}", folder.join(name).display()));
            }
            lines.push("tls-auth-clients no".to_owned());
        } else {
            lines.push(format!("port {port}"));
        }
        if self.cluster {
            lines.extend(["cluster-enabled yes".to_owned(), format!("cluster-port {bus}")]);
        }
        lines.extend(self.directives.iter().cloned());
        lines.join("\n") + "\n"
    }
}
