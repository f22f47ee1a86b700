//! What a store says of itself.

use std::time::Duration;

/// What a store can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools)] // as many independent questions
pub struct Capabilities {
    /// It keeps what is saved. `false` only of the null store.
    pub stores: bool,
    /// It grants leases; without them single flight is within the process.
    pub leases: bool,
    /// It tells [`Sink`](super::Sink)s what others change, so that a near cache may stand in front of it.
    pub pushes: bool,
    /// Other processes see what it keeps.
    pub shared: bool,
    /// The largest record it takes, in bytes.
    pub max_record: Option<usize>,
    /// How long a call should wait for it in all, unless the cache says otherwise.
    pub store_timeout: Duration,
    /// How long a lease of it should stand without being renewed, unless the cache says otherwise.
    pub lease: Duration,
}

impl Capabilities {
    /// A store that keeps records and nothing more; switch on what it can.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stores: true,
            leases: false,
            pushes: false,
            shared: false,
            max_record: None,
            store_timeout: Duration::from_secs(1),
            lease: Duration::from_secs(10),
        }
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::new()
    }
}
