//! The generations and eras that a connection has read, and of which its server has not told since that
//! they have changed.
//!
//! - Told and asked in the order of the stream, what is here was current when the server handled the
//!   last command whose reply has been taken: tracking writes what has changed into a connection when
//!   it changes, and so before the replies to all that is handled later.
//! - What is absent is never remembered: who makes a generation is not waited for.
//! - A generation whose time is over is told of when the server next looks at it, as it does to strike
//!   it. No harm is in that: what was stamped with it in its time has ended before.

use std::collections::HashMap;

use bytes::Bytes;
use foldhash::fast::RandomState;

use super::reply::Changed;

/// How many are remembered; with one more, all are forgotten.
const MOST: usize = 4096;

#[derive(Default)]
pub(super) struct Known {
    texts: HashMap<Box<str>, Bytes, RandomState>,
    /// How often something was said to have changed.
    changes: u64,
}

/// What was known at some time.
pub(super) struct Recalled {
    /// In the order of the names asked for.
    pub(super) texts: Vec<Option<Bytes>>,
    /// Of [`Known::changes`], then.
    pub(super) changes: u64,
}

impl Known {
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// What stands under these names, if that is known of all, with room for so many other texts.
    pub(super) fn recall(&self, names: &[String], room: usize) -> Option<Recalled> {
        let mut texts = Vec::with_capacity(names.len() + room);
        for name in names {
            texts.push(Some(self.texts.get(name.as_str())?.clone()));
        }
        Some(Recalled { texts, changes: self.changes })
    }

    /// The server will tell when one of these changes, of which it has just said what they are.
    pub(super) fn learn(&mut self, names: &[Box<str>], texts: &[Option<Bytes>]) {
        for (name, text) in names.iter().zip(texts) {
            let Some(text) = text else { continue };
            if self.texts.len() >= MOST && !self.texts.contains_key(name) {
                self.texts.clear();
            }
            // By itself, without all that was received together with it.
            self.texts.insert(name.clone(), Bytes::copy_from_slice(text));
        }
    }

    pub(super) fn forget(&mut self, changed: &Changed) {
        self.changes += 1;
        match changed {
            Changed::Names(names) => {
                for name in names.iter().filter_map(|name| std::str::from_utf8(name).ok()) {
                    self.texts.remove(name);
                }
            }
            Changed::Everything => self.texts.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Box<str> {
        format!("{{{number}}}:generation").into()
    }

    fn is_known(known: &Known, number: usize) -> bool {
        known.recall(&[name(number).into()], 0).is_some()
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let mut known = Known::default();
        let text = [Some(Bytes::from_static(b"x"))];
        for number in (0..MOST).chain([0]) {
            known.learn(&[name(number)], &text);
        }
        assert!(is_known(&known, 0) && is_known(&known, MOST - 1));
        known.learn(&[name(MOST)], &text);
        assert!(is_known(&known, MOST) && !is_known(&known, 0));
        assert_eq!(known.texts.len(), 1);
    }

    #[test]
    fn what_is_absent_is_not_remembered() {
        let mut known = Known::default();
        known.learn(&[name(0), name(1)], &[None, Some(Bytes::new())]);
        assert!(!is_known(&known, 0) && is_known(&known, 1));
    }
}
