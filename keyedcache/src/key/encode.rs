//! Writes parts as canonical text, and so all the punctuation of composites.
//!
//! Invariants:
//!
//! - Whatever a [`KeyPart`] does with its encoder, exactly one part comes out.
//! - Punctuation is written only here, and escaped in everything that comes from outside; so the
//!   text can be parsed back, which makes it injective (the property tests do parse it).

use std::fmt::{self, Write as _};
use std::ops::Range;

use super::KeyPart;
use super::escape::{Escaping, escape, escape_bytes};

/// The empty text: no part is written as nothing.
const EMPTY: &str = "~";

/// What a [`KeyPart`] writes itself to.
///
/// One call writes one part. A [`KeyPart::encode`] that makes no call is written as `()`, one that
/// makes several as the tuple of them.
///
/// ```
/// use keyedcache::key::{KeyEncoder, KeyPart, TextIdentity};
/// use std::hash::Hasher;
///
/// enum Shape {
///     Circle { radius: u32 },
///     Polygon(Vec<(i32, i32)>),
/// }
///
/// impl KeyPart for Shape {
///     type Identity = TextIdentity;
///
///     fn encode(&self, out: &mut KeyEncoder<'_>) {
///         match self {
///             Self::Circle { radius } => {
///                 out.composite("Circle", |fields| fields.named("radius", radius))
///             }
///             Self::Polygon(corners) => out.composite("Polygon", |fields| fields.item(corners)),
///         }
///     }
/// #   fn identity(&self) -> TextIdentity { TextIdentity::of(self) }
/// #   fn hash_identity<H: Hasher>(&self, state: &mut H) { TextIdentity::of(self).hash_identity(state) }
/// #   fn is_identity(&self, identity: &TextIdentity) -> bool { TextIdentity::of(self) == *identity }
///     // …
/// }
///
/// let key = keyedcache::cache_key!("area", Shape::Circle { radius: 3 });
/// assert_eq!(key.text(), "area::Circle(radius=3)");
/// let key = keyedcache::cache_key!("area", Shape::Polygon(vec![(0, 0), (4, 0), (0, 3)]));
/// assert_eq!(key.text(), "area::Polygon(<(0,0),(4,0),(0,3)>)");
/// ```
#[derive(Debug)]
pub struct KeyEncoder<'a> {
    text: &'a mut String,
    /// Where in `text` this part starts.
    start: usize,
    /// How many parts were written since.
    written: usize,
}

impl KeyEncoder<'_> {
    /// Writes text, escaped.
    pub fn text(&mut self, text: &str) {
        encode_text(text, self.next());
    }

    /// Writes what should be text and may not be UTF-8: bytes that are not are escaped.
    pub fn lossless(&mut self, bytes: &[u8]) {
        let out = self.next();
        if bytes.is_empty() {
            out.push_str(EMPTY);
        }
        for chunk in bytes.utf8_chunks() {
            escape(chunk.valid(), out);
            escape_bytes(chunk.invalid(), out);
        }
    }

    /// Writes what `Display` gives, escaped. It must not depend on locale, platform or version.
    pub fn display(&mut self, value: &impl fmt::Display) {
        let out = self.next();
        let start = out.len();
        // Fails only if `value` itself does, and then what it wrote before is all there is.
        let _ = write!(Escaping(out), "{value}");
        if out.len() == start {
            out.push_str(EMPTY);
        }
    }

    /// Writes a tuple; without items, `()`.
    pub fn tuple(&mut self, fields: impl FnOnce(&mut Fields<'_>)) {
        enclose(self.next(), fields);
    }

    /// Writes a struct or an enum variant: a name and fields, which may be none.
    pub fn composite(&mut self, name: &str, fields: impl FnOnce(&mut Fields<'_>)) {
        let out = self.next();
        encode_text(name, out);
        enclose(out, fields);
    }

    /// Writes items in their order.
    pub fn sequence<P: KeyPart>(&mut self, items: impl IntoIterator<Item = P>) {
        let out = self.next();
        out.push('<');
        for (place, item) in items.into_iter().enumerate() {
            comma(place, out);
            encode_part(&item, out);
        }
        out.push('>');
    }

    /// Writes items that have no order, sorted by their text.
    pub fn set<P: KeyPart>(&mut self, items: impl IntoIterator<Item = P>) {
        let mut sorter = Sorter::default();
        for item in items {
            sorter.add(|text| encode_part(&item, text), |_| ());
        }
        sorter.write("set", self.next());
    }

    /// Writes keys with their values, sorted by the text of the keys.
    pub fn map<K: KeyPart, V: KeyPart>(&mut self, entries: impl IntoIterator<Item = (K, V)>) {
        let mut sorter = Sorter::default();
        for (key, value) in entries {
            sorter.add(
                |text| encode_part(&key, text),
                |text| {
                    text.push('=');
                    encode_part(&value, text);
                },
            );
        }
        sorter.write("map", self.next());
    }

    /// Writes what needs no escapes, or has them already.
    pub(super) fn verbatim(&mut self, text: fmt::Arguments<'_>) {
        self.next().write_fmt(text).expect("writing to a string does not fail");
    }

    /// Where the next part goes.
    #[inline]
    fn next(&mut self) -> &mut String {
        comma(self.written, self.text);
        self.written += 1;
        self.text
    }

    /// Makes one part of what was written.
    #[inline]
    fn finish(self) {
        match self.written {
            0 => self.text.push_str("()"),
            1 => {}
            _ => {
                self.text.insert(self.start, '(');
                self.text.push(')');
            }
        }
    }
}

/// The fields of a tuple, a struct or an enum variant.
#[derive(Debug)]
pub struct Fields<'a> {
    text: &'a mut String,
    written: usize,
}

impl Fields<'_> {
    /// Writes a field that is told by its place.
    pub fn item<P: KeyPart + ?Sized>(&mut self, part: &P) {
        comma(self.written, self.text);
        self.written += 1;
        encode_part(part, self.text);
    }

    /// Writes a field that is told by its name.
    ///
    /// Fields are written in the order of the calls, which should not change when those of the
    /// source do.
    pub fn named<P: KeyPart + ?Sized>(&mut self, name: &str, part: &P) {
        comma(self.written, self.text);
        self.written += 1;
        encode_text(name, self.text);
        self.text.push('=');
        encode_part(part, self.text);
    }
}

/// Writes one part.
#[inline]
pub(super) fn encode_part<P: KeyPart + ?Sized>(part: &P, text: &mut String) {
    let start = text.len();
    let mut encoder = KeyEncoder { text, start, written: 0 };
    part.encode(&mut encoder);
    encoder.finish();
}

/// Writes one part that is text.
pub(super) fn encode_text(text: &str, out: &mut String) {
    if text.is_empty() {
        out.push_str(EMPTY);
    }
    escape(text, out);
}

fn enclose(out: &mut String, fields: impl FnOnce(&mut Fields<'_>)) {
    out.push('(');
    fields(&mut Fields { text: out, written: 0 });
    out.push(')');
}

#[inline]
fn comma(place: usize, out: &mut String) {
    if place > 0 {
        out.push(',');
    }
}

/// Entries on the way to their sorted order.
#[derive(Default)]
struct Sorter {
    text: String,
    /// Where in `text` the key and the value of each entry are.
    entries: Vec<(Range<usize>, Range<usize>)>,
}

impl Sorter {
    fn add(&mut self, key: impl FnOnce(&mut String), value: impl FnOnce(&mut String)) {
        let start = self.text.len();
        key(&mut self.text);
        let middle = self.text.len();
        value(&mut self.text);
        self.entries.push((start..middle, middle..self.text.len()));
    }

    fn write(self, kind: &str, out: &mut String) {
        let Self { text, mut entries } = self;
        entries.sort_unstable_by_key(|(key, value)| (&text[key.clone()], &text[value.clone()]));
        out.push_str(kind);
        out.push('<');
        for (place, (key, value)) in entries.into_iter().enumerate() {
            comma(place, out);
            out.push_str(&text[key.start..value.end]);
        }
        out.push('>');
    }
}
