//! An S3 server for tests: real HTTP, atomic preconditions, and faults that a test switches on.
//!
//! It lives in the test's own process, on threads of its own, so that other processes can use it and be
//! killed. Requests are parsed, their signatures checked and answers written by the `s3s` crate; what
//! is stored is in `bucket`, what goes wrong in `faults`.

mod bucket;
mod faults;
mod invocations;
mod operation;
mod serve;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use keyedcache::Clock;
use keyedcache::store::{S3Store, S3StoreBuilder};
use tokio::sync::oneshot;

pub use bucket::Stored;
pub use faults::{Fault, Rule};
pub use operation::{Counts, Operation};

use bucket::Bucket;
use faults::Faults;
use invocations::Invocations;
use operation::Counters;

/// The one bucket there is.
pub const BUCKET: &str = "kept";

/// The one access key that is accepted.
pub const ACCESS_KEY: &str = "AKIDTEST";
/// Its secret.
pub const SECRET_KEY: &str = "not-a-secret";

/// A running server. Dropped, it breaks off all connections.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    _end: oneshot::Sender<()>,
}

/// What the server and the test have in common.
#[derive(Debug)]
struct Shared {
    bucket: Bucket,
    faults: Faults,
    counters: Counters,
    invocations: Invocations,
}

impl S3Server {
    /// Starts one with an empty bucket.
    #[must_use]
    pub fn start() -> Self {
        Self::on(Clock::system())
    }

    /// The same, by this clock.
    #[must_use]
    pub fn on(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (end, ended) = oneshot::channel();
        let shared = Arc::new(Shared {
            bucket: Bucket::new(clock),
            faults: Faults::default(),
            counters: Counters::default(),
            invocations: Invocations::default(),
        });
        let serving = Arc::clone(&shared);
        thread::Builder::new()
            .name("s3-server".into())
            .spawn(move || serve::run(listener, &serving, ended))
            .expect("the operating system gives a thread");
        Self { address, shared, _end: end }
    }

    /// The URL of a cache in this folder of the bucket.
    #[must_use]
    pub fn url(&self, folder: &str) -> String {
        format!(
            "s3://{ACCESS_KEY}:{SECRET_KEY}@{BUCKET}/{folder}?region=us-east-1&path_style=true&endpoint={}",
            self.endpoint()
        )
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A builder of stores in this folder of the bucket.
    pub fn builder(&self, folder: &str) -> S3StoreBuilder {
        S3Store::builder(BUCKET)
            .prefix(folder)
            .region("us-east-1")
            .endpoint(self.endpoint())
            .path_style(true)
            .credentials(ACCESS_KEY, SECRET_KEY)
            // Many tests run at once on few processors.
            .operation_timeout(Duration::from_secs(20))
    }

    /// A store in this folder of the bucket.
    ///
    /// # Panics
    ///
    /// If the folder is none.
    #[must_use]
    pub fn store(&self, folder: &str) -> S3Store {
        self.builder(folder).build().expect("the settings are valid")
    }

    /// Has requests go wrong from now on.
    pub fn add_fault(&self, rule: Rule) {
        self.shared.faults.add(rule);
    }

    /// Has all go right again; how often each of the rules was applied, in their order.
    #[allow(clippy::must_use_candidate)] // most tests only want it mended
    pub fn mend(&self) -> Vec<usize> {
        self.shared.faults.clear()
    }

    /// Whether preconditions are heeded; they are at first.
    pub fn heed_conditions(&self, heed: bool) {
        self.shared.bucket.heed_conditions(heed);
    }

    /// Has requests to delete many be refused that have no `Content-MD5`, or a checksum of another kind,
    /// as older servers do.
    pub fn want_md5(&self) {
        self.shared.bucket.wants_md5.store(true, Ordering::SeqCst);
    }

    /// Has requests be refused that were sent before.
    pub fn refuse_repeated(&self) {
        self.shared.invocations.refuse_repeated();
    }

    /// How many requests the SDK has made; others are such that were sent once more.
    #[must_use]
    pub fn invocations(&self) -> usize {
        self.shared.invocations.count()
    }

    /// Takes the bucket away, or gives it back as it was.
    pub fn lose_bucket(&self, lost: bool) {
        self.shared.bucket.lose(lost);
    }

    /// Sets the server's clock apart from the one it was started with, by so many seconds.
    pub fn shift_clock(&self, seconds: i64) {
        self.shared.bucket.shift_clock(seconds);
    }

    /// How many requests have come.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counters.snapshot()
    }

    /// What is stored under this name.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<Stored> {
        self.shared.bucket.get(name)
    }

    /// The names of all objects.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.shared.bucket.names()
    }

    /// Puts an object there without a request, as if it had been written so long ago.
    pub fn plant(&self, name: &str, body: &Bytes, ago: Duration) {
        self.plant_all([name.to_owned()].into_iter(), body, ago);
    }

    /// Puts many equal objects there.
    pub fn plant_all(&self, names: impl Iterator<Item = String>, body: &Bytes, ago: Duration) {
        self.shared.bucket.plant(names, body, ago);
    }
}
