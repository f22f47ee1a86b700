//! Keeps texts within [`Key::MAX_TEXT`]: a readable head, `~`, and the digest of the whole.
//!
//! In a text that was not cut, `~` is the empty part, and what follows it is punctuation or the end.
//! So no text that fits equals one that was cut, however it was made to look.

use std::borrow::Cow;

use super::Key;

const MARK: char = '~';

/// What is kept of a text that is cut: what the mark and 64 hex digits leave room for.
const MAX_HEAD: usize = Key::MAX_TEXT - MARK.len_utf8() - 2 * blake3::OUT_LEN;

/// The text that stands for a canonical text: itself if it fits.
pub(super) fn bound(full: &str) -> Cow<'_, str> {
    if full.len() <= Key::MAX_TEXT {
        return Cow::Borrowed(full);
    }
    let mut text = String::with_capacity(Key::MAX_TEXT);
    text.push_str(head(full));
    text.push(MARK);
    text.push_str(&blake3::hash(full.as_bytes()).to_hex());
    Cow::Owned(text)
}

/// As much as has room, without half a character, half an escape or half a separator at the end.
fn head(full: &str) -> &str {
    let head = &full[..full.floor_char_boundary(MAX_HEAD)];
    let escape = head.rfind('%').filter(|start| head.len() - start < "%XX".len());
    head[..escape.unwrap_or(head.len())].trim_end_matches(':')
}
