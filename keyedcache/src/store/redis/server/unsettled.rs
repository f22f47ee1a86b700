//! Whether a request may still be done that its caller has given up.
//!
//! Over one connection the server does things in the order in which they were sent; over another they
//! could be overtaken. So who would ask another way looks here first. Of what was given up over a
//! connection that has been lost since, nothing shows whether it is past: it counts as past by an answer
//! over the next one, as it does for those who read there.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was given up on one connection, and how much of it is past.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    given_up: AtomicU64,
    settled: AtomicU64,
}

/// A request that was sent; dropped, it is given up.
#[derive(Debug)]
pub(super) struct Sent<'a> {
    all: &'a Unsettled,
    before: u64,
    is_answered: bool,
}

impl Unsettled {
    /// To be called before a request is sent.
    pub(super) fn sending(&self) -> Sent<'_> {
        Sent { all: self, before: self.given_up.load(Ordering::Acquire), is_answered: false }
    }

    /// Whether all that was given up is done, or never will be, as far as answers can show.
    pub(super) fn is_nothing(&self) -> bool {
        // In this order: a request that is given up in between then counts.
        let settled = self.settled.load(Ordering::Acquire);
        settled >= self.given_up.load(Ordering::Acquire)
    }
}

impl Sent<'_> {
    /// It was answered, and so is past whatever had been given up before it was sent, over the same
    /// connection.
    pub(super) fn answered(mut self) {
        self.is_answered = true;
        self.all.settled.fetch_max(self.before, Ordering::AcqRel);
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.all.given_up.fetch_add(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_is_settled_by_the_answer_to_what_was_sent_later() {
        let all = Unsettled::default();
        assert!(all.is_nothing());
        let earlier = all.sending();
        drop(all.sending());
        assert!(!all.is_nothing());
        earlier.answered();
        assert!(!all.is_nothing(), "it was sent before the other was given up");
        all.sending().answered();
        assert!(all.is_nothing());
    }
}
