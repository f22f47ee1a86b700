//! The barrier that all running threads of the process pass, where the system has one: Linux since 4.14.

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};

static IS_THERE: OnceLock<bool> = OnceLock::new();

/// Whether the system has one. Asked before this thread first reads.
pub(super) fn is_there() -> bool {
    *IS_THERE.get_or_init(register)
}

/// Every thread has passed it when this returns; `false` if that cannot be told.
pub(super) fn pass() -> bool {
    fence(Ordering::SeqCst);
    !is_there() || pass_all()
}

#[cfg(all(target_os = "linux", not(miri)))]
fn register() -> bool {
    use rustix::thread::{MembarrierCommand, membarrier};
    membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok() && pass_all()
}

#[cfg(all(target_os = "linux", not(miri)))]
fn pass_all() -> bool {
    use rustix::thread::{MembarrierCommand, membarrier};
    // A process that was forked off another may have to register anew.
    let pass = || membarrier(MembarrierCommand::PrivateExpedited).is_ok();
    let register = || membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok();
    pass() || (register() && pass())
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn register() -> bool {
    false
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn pass_all() -> bool {
    true
}
