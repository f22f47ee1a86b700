//! What must not hang fails in time.

use std::panic;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test that could hang is given.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `body` on a thread of its own, and answers what it does.
///
/// # Panics
///
/// As `body` does, or if it takes longer than `limit`; it is left running then.
pub fn within<T: Send + 'static>(limit: Duration, body: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        let answer = body();
        let _ = tell.send(()); // nobody listens if it came too late
        answer
    });
    match told.recv_timeout(limit) {
        Err(RecvTimeoutError::Timeout) => panic!("it hangs: not done after {limit:?}"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        }
    }
}

/// Returns when `thing` has come to be.
///
/// # Panics
///
/// If it has not after [`PATIENCE`].
pub fn wait_until(what: &str, mut thing: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !thing() {
        assert!(Instant::now() < deadline, "not after {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(1)); // looks again, proves nothing
    }
}
