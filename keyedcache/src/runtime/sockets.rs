//! Whether a caller's runtime can drive sockets, which Tokio tells by a panic and by nothing else.
//!
//! - A runtime that was built without `enable_io` can drive none. No stable function says so, and all
//!   that need to know panic. So it is tried, with a socket that leads nowhere, and the panic is caught
//!   here; hooks see it all the same.
//! - They see it once for each kind of runtime in a process: what one has turned out to lack, others of
//!   its kind are taken to lack too. Otherwise programs that make such runtimes again and again would
//!   print it again and again.

use std::io;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::runtime::{Handle, RuntimeFlavor};

/// As far as runtimes differ in what they tell of themselves.
#[derive(PartialEq, Eq)]
struct Kind {
    flavor: RuntimeFlavor,
    workers: usize,
}

impl Kind {
    fn of(runtime: &Handle) -> Self {
        Self { flavor: runtime.runtime_flavor(), workers: runtime.metrics().num_workers() }
    }
}

/// The kinds of which one could not.
static WITHOUT: RwLock<Vec<Kind>> = RwLock::new(Vec::new());

/// Whether there are any: most programs have none, and then nothing is looked up.
static IS_ANY_WITHOUT: AtomicBool = AtomicBool::new(false);

/// Whether this runtime can, as far as is known.
pub(crate) fn may_drive_sockets(runtime: &Handle) -> bool {
    !IS_ANY_WITHOUT.load(Ordering::Acquire) || !WITHOUT.read().contains(&Kind::of(runtime))
}

/// Whether the runtime that polls this thread's task can; tried, if it is not known that it cannot.
///
/// # Panics
///
/// Outside of a runtime.
pub(crate) fn drives_sockets() -> bool {
    /// So that of several that are tried at once, one is enough.
    static TRYING: Mutex<()> = Mutex::new(());

    let runtime = Handle::current();
    let _alone = TRYING.lock();
    if !may_drive_sockets(&runtime) {
        return false;
    }
    // An error tells nothing of the runtime: there may be no more files to be had.
    if catch_unwind(register).is_ok() {
        return true;
    }
    WITHOUT.write().push(Kind::of(&runtime));
    IS_ANY_WITHOUT.store(true, Ordering::Release);
    false
}

/// Has the runtime take up a socket. A panic here says that it was built without `enable_io`; keyedcache
/// goes on without connections of that runtime, and nothing is lost but some time.
fn register() -> io::Result<()> {
    #[cfg(unix)]
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    #[cfg(not(unix))]
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    #[cfg(unix)]
    tokio::net::UnixDatagram::from_std(socket)?;
    #[cfg(not(unix))]
    tokio::net::UdpSocket::from_std(socket)?;
    Ok(())
}
