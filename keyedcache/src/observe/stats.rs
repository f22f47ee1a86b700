//! The events that are counted, each once, and their snapshot.

use super::Counter;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The counters of one cache.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        /// What a cache did since it was built, in this process.
        ///
        /// The numbers are read one after another while others go on counting: each is right, their
        /// sums may be off by what is under way.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct CacheStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> CacheStats {
                CacheStats { $($name: self.$name.total(),)* }
            }
        }
    };
}

counters! {
    /// Answers from the near cache; of a function all that this process has counted, even in front of
    /// a cache that this one has replaced.
    near_hits,
    /// Fresh answers from the store.
    store_hits,
    /// Stale answers served while somebody refreshes, or because computing failed or took too long.
    stale_hits,
    /// Calls that gave up at their `hard_timeout`.
    timed_out,
    /// Calls and reads that found nothing to serve.
    misses,
    /// Bodies run by a caller that led.
    computed,
    /// Bodies run by a caller on its own: past its `wait`, re-entrant, or beside others whose answer
    /// is not to be stored.
    computed_alone,
    /// Callers that got the answer of another caller of this process.
    followed,
    /// Times this process waited for a computation of another process.
    waited,
    /// Records saved.
    saved,
    /// Saves the store refused because the lease was gone: something had been invalidated or
    /// replaced meanwhile.
    refused,
    /// Answers that were not to be stored.
    declined,
    /// Values that could not be encoded, or are too large for the store.
    unencodable,
    /// Records that did not read back.
    undecodable,
    /// Operations of the store that failed on the way of a call.
    store_errors,
}
