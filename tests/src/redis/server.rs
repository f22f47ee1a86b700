//! One server: a process, its port, its folder, and what a test may do to it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use super::options::Login;
use super::resp::Connection;
use super::{Options, Reply, certificates};
use crate::child::Process;
use crate::ports;
use crate::watchdog::wait_until;

/// A `redis-server` of its own. Dropped, it is killed, and its folder is removed.
#[derive(Debug)]
pub struct Server {
    pub(super) options: Options,
    port: u16,
    /// For the other servers of a cluster.
    bus: u16,
    folder: TempDir,
    /// `None` while it is down.
    process: Mutex<Option<Process>>,
}

impl Server {
    pub(super) const SOCKET: &str = "redis.sock";
    pub(super) const LOG: &str = "redis.log";
    const FILE: &str = "redis.conf";
    const SNAPSHOT: &str = "dump.rdb";

    /// Starts one with the default options.
    ///
    /// # Panics
    ///
    /// If `redis-server` is not installed; `tests/run tests` installs it.
    #[must_use]
    pub fn start() -> Self {
        Options::new().start()
    }

    pub(super) fn new(options: Options) -> Self {
        let mut server = Self::prepare(options);
        loop {
            server.configure();
            server.launch();
            if server.wait_ready() {
                return server;
            }
            (server.port, server.bus) = (ports::free(), ports::free());
        }
    }

    /// All but the process.
    fn prepare(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        if options.tls {
            certificates::make(folder.path());
        }
        if let Some(snapshot) = &options.snapshot {
            fs::write(folder.path().join(Self::SNAPSHOT), snapshot).expect("the folder is ours");
        }
        let (port, bus) = (ports::free(), ports::free());
        Self { options, port, bus, folder, process: Mutex::default() }
    }

    /// Once for these ports: what a server has rewritten stays so when it is started again.
    fn configure(&self) {
        let text = self.options.file(self.folder.path(), self.port, self.bus);
        fs::write(self.file(Self::FILE), text).expect("the folder is ours");
    }

    /// The port it listens on, the same as long as this lives.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port at which it listens to the other servers of a cluster.
    #[must_use]
    pub fn bus(&self) -> u16 {
        self.bus
    }

    /// Where it listens: `127.0.0.1:12345`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its URL, with user and password, for all that is to be done right. Database and options can be
    /// appended.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(&self.address())
    }

    /// The same for what stands in front of it, as a [`Proxy`](crate::proxy::Proxy) does.
    #[must_use]
    pub fn url_at(&self, address: &str) -> String {
        let scheme = if self.options.tls { "rediss" } else { "redis" };
        match &self.options.login {
            Some(Login { user, password }) => format!("{scheme}://{user}:{password}@{address}"),
            None => format!("{scheme}://{address}"),
        }
    }

    /// Its unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.file(Self::SOCKET)
    }

    /// The file with the certificate that its own one is signed by, if it is one for TLS.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.file(certificates::AUTHORITY)
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    // ---- commands ------------------------------------------------------------------------------

    /// Commands it, as its user, in database 0.
    ///
    /// # Panics
    ///
    /// If it is down, or refuses.
    #[allow(clippy::must_use_candidate)] // that it is done may be all that is asked
    pub fn command<W: AsRef<[u8]>>(&self, words: &[W]) -> Reply {
        let shown =
            || words.iter().map(|word| String::from_utf8_lossy(word.as_ref())).collect::<Vec<_>>();
        match self.try_command(words) {
            Ok(Reply::Error(error)) => panic!("{:?}: {error}", shown()),
            Ok(reply) => reply,
            Err(error) => panic!("{:?}: {error}; {}", shown(), self.log()),
        }
    }

    /// The same; a refusal is a reply.
    ///
    /// # Errors
    ///
    /// If it cannot be reached, or does not answer.
    pub fn try_command<W: AsRef<[u8]>>(&self, words: &[W]) -> io::Result<Reply> {
        let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
        self.connect()?.command(&words)
    }

    /// The same, without waiting for it to be done: `DEBUG SLEEP`.
    ///
    /// # Panics
    ///
    /// If it is down.
    pub fn send<W: AsRef<[u8]>>(&self, words: &[W]) {
        let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
        self.connect().and_then(|mut it| it.send(&words)).expect("it is there to be told");
    }

    fn connect(&self) -> io::Result<Connection> {
        let mut connection = Connection::open(&self.socket())?;
        if let Some(login) = &self.options.login {
            let [user, password] = login.words().map(str::as_bytes);
            connection.command(&[b"AUTH", user, password])?;
        }
        Ok(connection)
    }

    /// What it tells of itself: the lines `name:value` of a section of `INFO`.
    #[must_use]
    pub fn info(&self, section: &str) -> BTreeMap<String, String> {
        let info = self.command(&["INFO", section]).text();
        let lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// How often each command has been called since [`Server::reset_calls`], by its name in lower
    /// case: `get`, `client|tracking`. Commands that scripts call are counted too.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let calls = |(name, value): (String, String)| {
            let name = name.strip_prefix("cmdstat_")?.to_owned();
            let calls = value.strip_prefix("calls=")?.split(',').next()?.parse().ok()?;
            Some((name, calls))
        };
        self.info("commandstats").into_iter().filter_map(calls).collect()
    }

    /// Has it count calls from zero again.
    pub fn reset_calls(&self) {
        self.command(&["CONFIG", "RESETSTAT"]);
    }

    // ---- what befalls it -----------------------------------------------------------------------

    /// Kills it as the kernel does, and returns when it is dead. What was not saved is lost.
    pub fn kill(&self) {
        *self.process() = None;
    }

    /// Whether it runs, even if it answers nobody.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.process().as_mut().is_some_and(|process| !process.has_ended())
    }

    /// Starts it again on the same port, after killing it if need be. It has what was last saved, and
    /// nothing if that was never.
    ///
    /// # Panics
    ///
    /// If somebody else has taken its port.
    pub fn restart(&self) {
        self.launch();
        assert!(self.wait_ready(), "its port has been taken: {}", self.log());
    }

    /// The same, and returns when it was started, not when it is ready: it may still be loading.
    pub fn launch(&self) {
        let mut process = self.process();
        *process = None; // first, for the port
        // What was written before is none of the new one's.
        let _ = fs::remove_file(self.file(Self::LOG));
        let file = self.file(Self::FILE);
        let mut arguments = vec![file.as_os_str()];
        arguments.extend(self.options.sentinel.then_some(OsStr::new("--sentinel")));
        *process = Some(Process::foreign("redis-server", &arguments));
    }

    /// Waits until it answers; false if its port is taken by another.
    ///
    /// # Panics
    ///
    /// If it ends for another reason.
    #[must_use]
    pub fn wait_ready(&self) -> bool {
        let mut ended = false;
        wait_until("a server that answers", || {
            ended = self.process().as_mut().is_none_or(Process::has_ended);
            ended
                || self
                    .try_command(&["PING"])
                    .is_ok_and(|reply| reply == Reply::Text("PONG".into()))
        });
        assert!(!ended || self.log().contains("Address already in use"), "{}", self.log());
        !ended
    }

    /// Saves all it has, as what [`Server::restart`] begins with and as what it returns: for
    /// [`Server::restart_from`], and [`Options::snapshot`].
    ///
    /// # Panics
    ///
    /// If it cannot be saved.
    #[allow(clippy::must_use_candidate)] // that it is saved may be all that is asked
    pub fn snapshot(&self) -> Vec<u8> {
        self.command(&["SAVE"]);
        fs::read(self.file(Self::SNAPSHOT)).expect("it was just saved")
    }

    /// Kills it, and starts it with what was there when this snapshot was taken.
    ///
    /// # Panics
    ///
    /// As [`Server::restart`] does.
    pub fn restart_from(&self, snapshot: &[u8]) {
        self.kill();
        fs::write(self.file(Self::SNAPSHOT), snapshot).expect("the folder is ours");
        self.restart();
    }

    /// Has it answer no command for so long, by `CLIENT PAUSE`; it still takes them, and does them
    /// afterwards.
    pub fn pause(&self, time: Duration) {
        self.command(&["CLIENT", "PAUSE", &time.as_millis().to_string(), "ALL"]);
    }

    /// Stops its process where it is, and returns when it has stopped: connections stay, and nothing
    /// is answered.
    ///
    /// # Panics
    ///
    /// If it is down.
    pub fn freeze(&self) {
        self.process().as_mut().expect("it is up").stop();
    }

    /// Lets it go on.
    ///
    /// # Panics
    ///
    /// If it is down.
    pub fn thaw(&self) {
        self.process().as_mut().expect("it is up").go_on();
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        // A test that panicked with it has left nothing half done.
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file(Self::LOG)).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill(); // before its folder is removed
    }
}
