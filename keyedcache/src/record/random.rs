//! Random bytes of the operating system's, for record ids some of them drawn in advance: a system call
//! for each would be a noticeable part of what a save on disk costs.
//!
//! What is drawn in advance is copied by a fork, and nobody may get it twice. So there is such only
//! where a process can be told from those forked of it, and it is of use to the one that drew it.

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::sync::OnceLock;

/// How many ids are drawn at once.
const DRAWN: usize = 32;

/// Tells what this process is marked with, which no other is; `None` while it is not.
type Mark = fn() -> Option<NonZeroU64>;

static MARK: OnceLock<Mark> = OnceLock::new();

/// Has processes told from one another by their marks. The first who says how counts.
#[cfg(feature = "disk")] // which has such a mark, and saves fast enough for it to matter
pub(crate) fn tell_processes_by(mark: Mark) {
    MARK.get_or_init(|| mark);
}

/// Random bytes that nobody can guess.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has a random source");
    bytes
}

/// The same, which may have been drawn in advance.
pub(super) fn random_id() -> [u8; 16] {
    match MARK.get().and_then(|mark| mark()) {
        None => random_bytes(),
        Some(mark) => IDS.with_borrow_mut(|ids| ids.take(mark)),
    }
}

thread_local! {
    static IDS: RefCell<Ids> = const { RefCell::new(Ids { by: None, bytes: [[0; 16]; DRAWN], left: 0 }) };
}

/// What one thread has drawn in advance.
#[derive(Clone)]
struct Ids {
    /// The mark of the process that drew them.
    by: Option<NonZeroU64>,
    bytes: [[u8; 16]; DRAWN],
    left: usize,
}

impl Ids {
    fn take(&mut self, mark: NonZeroU64) -> [u8; 16] {
        if self.left == 0 || self.by != Some(mark) {
            getrandom::fill(self.bytes.as_flattened_mut())
                .expect("the operating system has a random source");
            (self.by, self.left) = (Some(mark), DRAWN);
        }
        self.left -= 1;
        std::mem::take(&mut self.bytes[self.left])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const EMPTY: Ids = Ids { by: None, bytes: [[0; 16]; DRAWN], left: 0 };

    fn mark(mark: u64) -> NonZeroU64 {
        NonZeroU64::new(mark).unwrap()
    }

    #[test]
    fn no_id_is_given_out_twice() {
        let mut ids = EMPTY;
        let taken: HashSet<_> = (0..100).map(|_| ids.take(mark(1))).collect();
        assert_eq!(taken.len(), 100);
        assert!(!taken.contains(&[0; 16]));
    }

    #[test]
    fn what_a_process_has_drawn_is_not_given_out_by_one_that_was_forked_of_it() {
        let mut parent = EMPTY;
        parent.take(mark(1));
        let mut child = parent.clone();
        let of_parent: HashSet<_> = (0..DRAWN).map(|_| parent.take(mark(1))).collect();
        let of_child: HashSet<_> = (0..DRAWN).map(|_| child.take(mark(2))).collect();
        assert!(of_parent.is_disjoint(&of_child));
    }
}
