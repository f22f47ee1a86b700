//! Escapes what would be ambiguous or unsafe in a key: `%XX` for each of its bytes.

use std::fmt;

/// Escapes what is formatted into it.
pub(super) struct Escaping<'a>(pub(super) &'a mut String);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(text, self.0);
        Ok(())
    }
}

/// Writes text so that it contains no punctuation of ours, and nothing that is hidden.
pub(super) fn escape(text: &str, out: &mut String) {
    let mut plain_from = 0;
    for (at, character) in text.char_indices() {
        if is_plain(character) {
            continue;
        }
        out.push_str(&text[plain_from..at]);
        plain_from = at + character.len_utf8();
        escape_bytes(&text.as_bytes()[at..plain_from], out);
    }
    out.push_str(&text[plain_from..]);
}

/// Writes bytes as escapes, all of them.
pub(super) fn escape_bytes(bytes: &[u8], out: &mut String) {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    for byte in bytes {
        out.push('%');
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

/// Whether a character stands for itself.
#[inline]
fn is_plain(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || "!#$&+-./;@^_|".contains(character);
    }
    !is_hidden(character)
}

/// Whether a character is white space, controls the terminal or the text around it, or shows nothing.
///
/// The ranges are spelt out, since the tables of the standard library follow Unicode versions.
const fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{a0}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{1680}'
            | '\u{180e}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3000}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}
