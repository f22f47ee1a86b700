//! A proxy that stands between a client and a server, and is as bad a network as a test wants.
//!
//! - What a method does has been done when it returns, for connections there are and for those that
//!   come.
//! - No byte is lost of a connection that goes on: what is held up by silence or delay comes later.

mod frames;
mod relay;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::ports;
use crate::watchdog::{PATIENCE, wait_until};

/// A TCP proxy in this process, on threads of its own. Dropped, it cuts all connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// `None` while it refuses.
    listening: Mutex<Option<JoinHandle<()>>>,
}

/// What all connections obey.
#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    silent: watch::Sender<bool>,
    delay: Mutex<Duration>,
    losing: Mutex<Losing>,
    /// Changes when all connections are to be cut.
    cut: watch::Sender<u64>,
    connections: Mutex<JoinSet<()>>,
    counts: Counts,
}

/// So many more replies are to be lost, to commands that contain this.
#[derive(Debug, Default)]
struct Losing {
    times: u64,
    containing: Vec<u8>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    commands: AtomicU64,
    lost: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

/// What has gone through a proxy since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that clients made.
    pub connections: u64,
    /// Redis commands that clients sent.
    pub commands: u64,
    /// Those of them whose replies were lost by [`Proxy::lose_replies`].
    pub lost: u64,
    /// Bytes that clients sent.
    pub bytes_up: u64,
    /// Bytes that servers sent.
    pub bytes_down: u64,
}

impl Proxy {
    /// One in front of this address: `127.0.0.1:12345`. It passes everything.
    ///
    /// # Panics
    ///
    /// If that is no address.
    #[must_use]
    pub fn to(address: &str) -> Self {
        let (listener, address_here) = loop {
            let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
            if let Ok(listener) = TcpListener::bind(address) {
                break (listener, address);
            }
        };
        let shared = Arc::new(Shared {
            to: address.parse().expect("an address and a port"),
            silent: watch::Sender::new(false),
            delay: Mutex::default(),
            losing: Mutex::default(),
            cut: watch::Sender::new(0),
            connections: Mutex::default(),
            counts: Counts::default(),
        });
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = Some(runtime.expect("the machine can start threads"));
        let proxy = Self { address: address_here, shared, runtime, listening: Mutex::default() };
        proxy.listen(listener);
        proxy
    }

    /// Where it listens, the same as long as this lives.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// What has gone through it.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let counts = &self.shared.counts;
        Traffic {
            connections: counts.connections.load(Ordering::Relaxed),
            commands: counts.commands.load(Ordering::Relaxed),
            lost: counts.lost.load(Ordering::Relaxed),
            bytes_up: counts.bytes_up.load(Ordering::Relaxed),
            bytes_down: counts.bytes_down.load(Ordering::Relaxed),
        }
    }

    /// Passes everything at once, as at first.
    ///
    /// # Panics
    ///
    /// If somebody else has taken its port while it refused.
    pub fn pass(&self) {
        self.delay(Duration::ZERO);
        self.lose_replies(0, "");
        if lock(&self.listening).is_none() {
            self.listen(TcpListener::bind(self.address).expect("nobody else has its port"));
        }
        self.shared.silent.send_replace(false);
    }

    /// Cuts all connections there are, by a reset of both ends; new ones pass.
    pub fn cut(&self) {
        let mut connections = {
            let mut connections = lock(&self.shared.connections);
            self.shared.cut.send_modify(|cut| *cut += 1);
            std::mem::take(&mut *connections)
        };
        self.wait_for(async move { while connections.join_next().await.is_some() {} });
    }

    /// Refuses new connections and cuts those there are, as a server that is down, until
    /// [`Proxy::pass`].
    pub fn refuse(&self) {
        if let Some(listening) = lock(&self.listening).take() {
            listening.abort();
            self.wait_for(async { drop(listening.await) });
        }
        self.cut();
    }

    /// Lets nothing through any more, in either direction, without closing anything, as a network
    /// that drops all packets, until [`Proxy::pass`]: then what was held up comes. New connections
    /// are made, as far as a client sees, and silent too.
    pub fn silence(&self) {
        self.shared.silent.send_replace(true);
    }

    /// Has everything take so much longer, in each direction.
    pub fn delay(&self, delay: Duration) {
        *lock(&self.shared.delay) = delay;
    }

    /// Loses the replies to the next so many commands that contain `containing`, and to all before
    /// them that have not been replied to: the server does these commands, then their connection is
    /// cut. The first such command of a connection is its last.
    pub fn lose_replies(&self, times: u64, containing: &str) {
        *lock(&self.shared.losing) = Losing { times, containing: containing.into() };
    }

    /// Waits until so many replies have been lost, since it was started.
    pub fn wait_lost(&self, times: u64) {
        wait_until("lost replies", || self.traffic().lost >= times);
    }

    fn listen(&self, listener: TcpListener) {
        listener.set_nonblocking(true).expect("it can be");
        let runtime = self.runtime();
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).expect("there is a runtime")
        };
        let shared = Arc::clone(&self.shared);
        *lock(&self.listening) = Some(runtime.spawn(async move {
            // It fails when the process has too many files open: then it is to be seen.
            while let Ok((client, _)) = listener.accept().await {
                shared.counts.connections.fetch_add(1, Ordering::Relaxed);
                let mut connections = lock(&shared.connections);
                while connections.try_join_next().is_some() {} // those that have ended
                let cut = shared.cut.subscribe(); // under the lock: either cut or there to be cut
                connections.spawn(relay::relay(client, Arc::clone(&shared), cut));
            }
        }));
    }

    /// Waits for something from any thread, of a runtime too.
    fn wait_for(&self, thing: impl Future<Output = ()> + Send + 'static) {
        let (tell, told) = mpsc::channel();
        self.runtime().spawn(async move {
            thing.await;
            let _ = tell.send(()); // who waited has given up
        });
        told.recv_timeout(PATIENCE).expect("connections end when they are told to");
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is not dropped yet")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
        // Not waited for: this may be dropped in another runtime, where that is forbidden.
        self.runtime.take().expect("only here").shutdown_background();
    }
}

impl Shared {
    fn delay(&self) -> Duration {
        *lock(&self.delay)
    }

    /// Returns when there is no silence.
    async fn no_silence(&self) {
        let mut silent = self.silent.subscribe();
        let passed = silent.wait_for(|silent| !silent).await;
        drop(passed.expect("its sender is in this"));
    }

    /// Whether the reply to this command is to be lost, which is counted then.
    fn loses(&self, command: &[u8]) -> bool {
        let mut losing = lock(&self.losing);
        let Losing { times, containing } = &mut *losing;
        let loses = *times > 0
            && (containing.is_empty()
                || command.windows(containing.len()).any(|part| part == containing.as_slice()));
        if loses {
            *times -= 1;
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
        loses
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked with it has left nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
