//! The tail of the log: what the last transactions have stored and changed, in a file beside the
//! environment.
//!
//! In the tree each entry would dirty a path of pages of its own, and a save would cost twice what
//! LMDB needs for its record. So a transaction writes a *note* of its entries, some words in place, in
//! memory that all processes have mapped.
//! Others are told from the notes (`ring.rs`); and of what still stands for a record when its note is
//! about to be written over, the tree takes in the entry (`appending.rs`).
//!
//! - Each transaction writes its note before it commits, while it has the turn. Who is killed or
//!   fails in between leaves number and place to the next, who writes over it. So the note of a
//!   committed transaction tells exactly what that has done.
//! - Transactions bear consecutive numbers, so a note's place follows from its number, and one is
//!   written over by another [`PLACES`] later, never before the tree has [settled](End::settled) it.
//! - Who reads without a turn may find a later note, or half of one: number and checksum tell.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use xxhash_rust::xxh3::xxh3_64;

use super::environment::SharedWords;
use super::layout::LogEntry;

/// What the file is called.
pub(super) const FILE_NAME: &str = "log.tail";

/// How many notes there are: who is further behind is told that changes may have been missed.
pub(super) const PLACES: u64 = 1024;

/// How many bytes a note has, and words.
const NOTE: usize = 256;
const WORD: usize = size_of::<u32>();
const NOTE_WORDS: usize = NOTE / WORD;

/// The bytes of a note before its entries: checksum, transaction, the end of the log, how many
/// entries there are, and of how many bytes.
const HEAD: usize = 44;

/// Where the log ends.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct End {
    /// The sequence of its last entry; zero if there is none.
    pub(super) last: u64,
    /// The last transaction of those whose entries the tree has, as far as they still stand for
    /// records. Those of later ones are noted.
    pub(super) settled: u64,
    /// The last sequence of that transaction.
    pub(super) settled_last: u64,
}

/// Entries on their way to the log, one after another.
#[derive(Default)]
pub(super) struct Entries {
    /// Each with its length before it, in two bytes.
    bytes: Vec<u8>,
    count: u64,
}

impl Entries {
    pub(super) fn push(&mut self, entry: LogEntry<'_>) {
        self.bytes.reserve(NOTE);
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        entry.encode(&mut self.bytes);
        let length = u16::try_from(self.bytes.len() - at - 2).expect("keys are far shorter");
        self.bytes[at..at + 2].copy_from_slice(&length.to_le_bytes());
        self.count += 1;
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether a note has room for them.
    pub(super) fn fit_a_note(&self) -> bool {
        HEAD + self.bytes.len() <= NOTE
    }

    /// The bytes of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        split(&self.bytes)
    }
}

/// The entries in these bytes.
fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, mut rest) = bytes.split_first_chunk()?;
        let entry = rest.split_off(..usize::from(u16::from_le_bytes(*length)));
        bytes = rest;
        entry
    })
}

/// The notes of the last transactions.
#[derive(Debug)]
pub(super) struct Tail(SharedWords);

impl Tail {
    /// Opens the file of a folder; made if there is none, by the one who has the folder to itself.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        #[allow(clippy::cast_possible_truncation)] // a thousand
        let count = PLACES as usize * NOTE_WORDS;
        SharedWords::open(&folder.join(FILE_NAME), count).map(Self)
    }

    /// Has it on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.file().sync_data()
    }

    /// The place of a transaction's note.
    fn place(&self, transaction: u64) -> &[AtomicU32] {
        #[allow(clippy::cast_possible_truncation)] // less than a thousand
        let at = (transaction % PLACES) as usize * NOTE_WORDS;
        &self.0[at..at + NOTE_WORDS]
    }

    /// What stands at the place of a transaction's note.
    fn copy(&self, transaction: u64) -> [u8; NOTE] {
        let mut bytes = [0; NOTE];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.place(transaction)) {
            *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        bytes
    }

    /// Writes down what a transaction does that is about to commit; of more entries than fit, how
    /// many they are.
    pub(super) fn write(&self, transaction: u64, end: End, entries: &Entries) {
        let noted = if entries.fit_a_note() { entries.bytes.as_slice() } else { &[] };
        let length = HEAD + noted.len();
        let mut bytes = [0; NOTE];
        let mut at = 8;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        for number in [transaction, end.last, end.settled, end.settled_last] {
            put(&number.to_le_bytes());
        }
        #[allow(clippy::cast_possible_truncation)] // transactions are bounded, notes are short
        for few in [entries.count as u16, noted.len() as u16] {
            put(&few.to_le_bytes());
        }
        put(noted);
        let checksum = xxh3_64(&bytes[8..length]);
        bytes[..8].copy_from_slice(&checksum.to_le_bytes());
        let words = bytes[..length.next_multiple_of(WORD)].as_chunks().0;
        for (word, bytes) in self.place(transaction).iter().zip(words) {
            word.store(u32::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        // Before the number of the transaction can be seen.
        fence(Ordering::Release);
    }

    /// The notes of these transactions, of the first to the last; `None` if one of them is not
    /// there, or no longer.
    pub(super) fn read(&self, first: u64, last: u64) -> Option<Notes> {
        let count = (last + 1).saturating_sub(first);
        if count > PLACES {
            return None;
        }
        // After the number of the last transaction has been seen.
        fence(Ordering::Acquire);
        let notes = Notes((first..=last).map(|number| self.copy(number)).collect());
        let are_whole = (first..=last).zip(notes.iter()).all(|(number, note)| note.is_of(number));
        are_whole.then_some(notes)
    }

    /// Where the log ended after a transaction; `None` if its note is not there, or no longer.
    pub(super) fn end_after(&self, transaction: u64) -> Option<End> {
        if transaction == 0 {
            return Some(End::default());
        }
        let notes = self.read(transaction, transaction)?;
        notes.iter().last().map(Note::end)
    }
}

/// The notes of transactions that follow one another.
pub(super) struct Notes(Vec<[u8; NOTE]>);

impl Notes {
    /// In the order of their transactions.
    pub(super) fn iter(&self) -> impl Iterator<Item = Note<'_>> {
        self.0.iter().map(|note| Note(note))
    }
}

/// What one transaction has noted.
#[derive(Clone, Copy)]
pub(super) struct Note<'n>(&'n [u8]);

impl<'n> Note<'n> {
    fn number(self, at: usize) -> u64 {
        let bytes = self.0[at..at + 8].try_into().expect("eight bytes of its head");
        u64::from_le_bytes(bytes)
    }

    fn few(self, at: usize) -> usize {
        usize::from(u16::from_le_bytes([self.0[at], self.0[at + 1]]))
    }

    /// Whether it is whole, and that of this transaction.
    fn is_of(self, transaction: u64) -> bool {
        let body = self.0.get(8..HEAD + self.few(42));
        self.number(8) == transaction && body.is_some_and(|body| xxh3_64(body) == self.number(0))
    }

    /// Where the log ended after it.
    pub(super) fn end(self) -> End {
        End { last: self.number(16), settled: self.number(24), settled_last: self.number(32) }
    }

    /// The sequence of the last entry before its own.
    pub(super) fn before(self) -> u64 {
        self.end().last.saturating_sub(self.few(40) as u64)
    }

    /// Whether its entries are in the tree, because they were too many.
    pub(super) fn is_overfull(self) -> bool {
        self.few(40) > 0 && self.few(42) == 0
    }

    /// Its entries with their sequences; none if it is overfull.
    pub(super) fn entries(self) -> impl Iterator<Item = (u64, &'n [u8])> {
        (self.before() + 1..).zip(split(&self.0[HEAD..HEAD + self.few(42)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::layout::Change;

    fn tail() -> (tempfile::TempDir, Tail) {
        let folder = tempfile::tempdir().unwrap();
        let tail = Tail::open(folder.path()).unwrap();
        (folder, tail)
    }

    fn scopes(ids: impl Iterator<Item = u8>) -> Entries {
        let mut entries = Entries::default();
        for id in ids {
            entries.push(LogEntry { change: Change::Scope([id; 16]), stored: None });
        }
        entries
    }

    fn end(last: u64) -> End {
        End { last, settled: 7, settled_last: 9 }
    }

    #[test]
    fn notes_read_back_as_written_around_the_end_of_the_file() {
        let (_folder, tail) = tail();
        let first = PLACES - 2;
        for number in 0..4 {
            let id = u8::try_from(number).unwrap();
            tail.write(first + number, end(20 + 2 * number), &scopes([id, id].into_iter()));
        }
        let notes = tail.read(first, first + 3).unwrap();
        for (number, note) in (0..).zip(notes.iter()) {
            assert_eq!(note.end(), end(20 + 2 * number));
            let sequences: Vec<_> = note.entries().map(|(sequence, _)| sequence).collect();
            assert_eq!(sequences, [19 + 2 * number, 20 + 2 * number]);
            let id = u8::try_from(number).unwrap();
            let mut changes = note.entries().map(|(_, entry)| Change::decode(entry));
            assert!(changes.all(|change| change == Change::Scope([id; 16])));
        }
        assert_eq!(tail.end_after(first + 3), Some(end(26)));
    }

    #[test]
    fn of_more_than_a_note_has_room_for_the_number_is_noted() {
        let (_folder, tail) = tail();
        let many = scopes(0..100);
        assert!(!many.fit_a_note());
        tail.write(1, end(300), &many);
        let notes = tail.read(1, 1).unwrap();
        let note = notes.iter().next().unwrap();
        assert!(note.is_overfull());
        assert_eq!((note.before(), note.entries().count()), (200, 0));
    }

    #[test]
    fn a_note_that_was_written_over_is_not_there() {
        let (_folder, tail) = tail();
        tail.write(5, end(1), &scopes(0..1));
        assert!(tail.read(5, 5).is_some());
        assert!(tail.read(5, 6).is_none());
        tail.write(5 + PLACES, end(1), &scopes(0..1));
        assert!(tail.read(5, 5).is_none());
        assert!(tail.read(5 + PLACES, 5 + PLACES).is_some());
    }

    #[test]
    fn half_a_note_is_not_there() {
        let (_folder, tail) = tail();
        tail.write(5, end(1), &scopes(0..1));
        for at in 0..HEAD + 19 {
            let (word, torn) = (&tail.place(5)[at / WORD], 0x40 << (at % WORD * 8));
            word.fetch_xor(torn, Ordering::Relaxed);
            assert!(tail.read(5, 5).is_none(), "byte {at}");
            word.fetch_xor(torn, Ordering::Relaxed);
            assert!(tail.read(5, 5).is_some());
        }
    }
}
