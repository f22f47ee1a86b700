//! The names of values: what a key is made of, its canonical text, and its identity in memory.
//!
//! # The canonical text
//!
//! A key is a list of parts, joined by `::`. A part is a scalar or a composite:
//!
//! | part | text |
//! |---|---|
//! | text, `char`, numbers, `bool`, durations, addresses | as written: `US`, `-7`, `1.5`, `true`, `90s` |
//! | the empty text | `~` |
//! | `()`, tuples | `()`, `(1,a)` |
//! | slices, arrays, `Vec`, `VecDeque` | `<1,2,3>` |
//! | sets, maps, sorted by text | `set<1,2>`, `map<a=1,b=2>` |
//! | enum variants, structs | `None()`, `Some(3)`, `Point(x=1,y=2)` |
//!
//! Inside scalars and names, `%XX` stands for each byte of what would be ambiguous or unsafe in a
//! store's tools: `:` `%` `~` `(` `)` `<` `>` `,` `=` `*` `?` `[` `]` `{` `}` `\`, quotes, white
//! space, control and invisible characters, and bytes that are not UTF-8. Other Unicode stays.
//!
//! Invariants:
//!
//! - **Injective.** Different lists of parts have different texts. Two scalars are the same part if
//!   they are written alike: the number `123` and the text `"123"` are one, as are `'a'` and
//!   `"a"`. A composite is never the same as a scalar (`None` is not `"None"`), nor as a composite
//!   of another kind (`(1, 2)` is not `[1, 2]`), and there is no part that is written as nothing.
//!   Structs and variants are told by their names and fields, not by their types.
//! - **Stable.** No text depends on the platform, the compiler, a hash seed or a Unicode table.
//! - **Bounded.** A text over [`Key::MAX_TEXT`] bytes is cut, and ends in `~` and the 256-bit BLAKE3
//!   digest of the whole in hex. No text that is not cut has a hex digit after a `~`.

mod bound;
mod builder;
mod encode;
mod escape;
#[doc(hidden)]
pub mod macros;
mod part;
mod parts;
mod scoped;
#[cfg(test)]
mod tests;

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bound::bound;
use encode::{encode_part, encode_text};

pub use builder::{HasParts, KeyBuilder, NoParts};
pub use encode::{Fields, KeyEncoder};
pub use part::{F32Identity, F64Identity, KeyPart, TextIdentity, part_text};
pub use parts::{KeyParts, Segments};
pub(crate) use scoped::text_of;
#[doc(hidden)]
pub use scoped::{Scoped, Scopes};

/// What stands between two segments. Segments never contain `:`.
const SEPARATOR: &str = "::";

/// Enough for most keys, so that their text is written without growing.
const USUAL_TEXT: usize = 64;

/// What names one value: a namespace and segments.
///
/// Made by [`cache_key!`](crate::cache_key) or [`Key::builder`]; there is no empty key. Keys are
/// equal, ordered and hashed by their [`text`](Key::text). A clone costs a reference count.
///
/// ```
/// use keyedcache::cache_key;
///
/// let key = cache_key!("SHIP_company", weight = 3, country = "US");
/// assert_eq!(key.text(), "SHIP_company::country::US::weight::3");
/// assert_eq!(key.namespace(), "SHIP_company");
/// assert_eq!(key.child(&"a b"), cache_key!("SHIP_company", "country", "US", "weight", 3, "a b"));
/// ```
#[derive(Clone)]
pub struct Key(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    /// The canonical text, whole.
    full: String,
    /// The texts that stand for it, if it is longer than [`Key::MAX_TEXT`].
    cut: Option<Cut>,
    /// Of what function or type it is; `None` if it was made by hand.
    owner: Option<Owner>,
}

/// What a key knows of the function or type it was made for, beside its text: where its record is, and
/// by what it is forgotten.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    /// The namespace by which all of it is forgotten; that of the key if there is no other.
    pub(crate) whole: Option<Box<str>>,
    /// The scopes of its arguments: their bits, and the text of the arguments.
    pub(crate) scopes: Vec<(u64, String)>,
    /// The version under which it is stored; that of the cache if it is given none.
    pub(crate) version: Option<u32>,
}

#[derive(Clone)]
struct Cut {
    text: Box<str>,
    namespace: Box<str>,
}

impl Key {
    /// The longest a [`text`](Key::text) gets, in bytes.
    pub const MAX_TEXT: usize = 200;

    /// Starts a key whose parts are not known when the code is written.
    ///
    /// ```
    /// use keyedcache::Key;
    ///
    /// let mut key = Key::builder().part("menu");
    /// for level in ["drinks", "hot"] {
    ///     key = key.part(level);
    /// }
    /// assert_eq!(key.named("lang", "de").build().text(), "menu::drinks::hot::lang::de");
    /// ```
    ///
    /// A key without parts does not compile:
    ///
    /// ```compile_fail,E0599
    /// keyedcache::Key::builder().build();
    /// ```
    pub fn builder() -> KeyBuilder<NoParts> {
        KeyBuilder::new()
    }

    /// The key of one call of a function: its namespace, then a segment for each argument.
    ///
    /// The namespace is one segment, whatever it contains. Costs two allocations, if the text is
    /// not long.
    ///
    /// ```
    /// use keyedcache::Key;
    ///
    /// let key = Key::of_parts("nearest_restaurant", &(&2, (&6, ())));
    /// assert_eq!(key.text(), "nearest_restaurant::2::6");
    /// ```
    #[must_use]
    pub fn of_parts(namespace: &str, parts: &dyn Segments) -> Self {
        Self::owned(namespace, parts, Owner::default())
    }

    /// The same, of this owner.
    pub(crate) fn owned(namespace: &str, parts: &dyn Segments, owner: Owner) -> Self {
        let mut text = String::with_capacity(USUAL_TEXT);
        encode_text(namespace, &mut text);
        parts.encode_each(&mut text);
        Self::of(text, Some(owner))
    }

    /// The function or type that it was made for, to which its record belongs, and to no other prefix;
    /// `None` if it was made by hand.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        self.0.owner.as_ref()
    }

    /// The same key, of what is stored under this version.
    pub(crate) fn of_version(self, version: Option<u32>) -> Self {
        let Inner { full, owner, .. } = Arc::unwrap_or_clone(self.0);
        Self::of(full, Some(Owner { version, ..owner.unwrap_or_default() }))
    }

    /// The text of [`of_parts`](Self::of_parts) behind `head`, without making the key: one
    /// allocation, if it is not long.
    pub(crate) fn text_of_parts(head: &str, namespace: &str, parts: &dyn Segments) -> String {
        let mut text = String::with_capacity(head.len() + USUAL_TEXT);
        text.push_str(head);
        encode_text(namespace, &mut text);
        parts.encode_each(&mut text);
        if let Cow::Owned(cut) = bound(&text[head.len()..]) {
            text.truncate(head.len());
            text.push_str(&cut);
        }
        text
    }

    /// The key one segment below this one.
    #[must_use]
    pub fn child<P: KeyPart + ?Sized>(&self, part: &P) -> Self {
        let mut text = String::with_capacity(self.0.full.len() + USUAL_TEXT);
        text.push_str(&self.0.full);
        push_segment(part, &mut text);
        Self::of_text(text)
    }

    /// Its canonical text: printable, without white space, at most [`MAX_TEXT`](Self::MAX_TEXT)
    /// bytes.
    #[must_use]
    #[inline]
    pub fn text(&self) -> &str {
        match &self.0.cut {
            None => &self.0.full,
            Some(cut) => &cut.text,
        }
    }

    /// The text of the key that has only the first segment of this one.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match &self.0.cut {
            None => first_segment(&self.0.full),
            Some(cut) => &cut.namespace,
        }
    }

    /// The texts of the keys above this one, from the namespace down: of `a::b::c`, `a` and `a::b`.
    ///
    /// Each is what [`text`](Self::text) of the key of those segments is; only those over
    /// [`MAX_TEXT`](Self::MAX_TEXT) bytes cost allocation and a digest.
    ///
    /// ```
    /// let key = keyedcache::cache_key!("some", "temporary", "secret");
    /// assert_eq!(key.prefixes().collect::<Vec<_>>(), ["some", "some::temporary"]);
    /// ```
    pub fn prefixes(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let full = self.0.full.as_str();
        full.match_indices(SEPARATOR).map(move |(end, _)| bound(&full[..end]))
    }

    /// What stands above its last segment, whole however long it is; `None` if there is only one.
    pub(crate) fn above(&self) -> Option<&str> {
        self.0.full.rsplit_once(SEPARATOR).map(|(above, _)| above)
    }

    /// The key of a canonical text that was just written.
    fn of_text(full: String) -> Self {
        Self::of(full, None)
    }

    fn of(full: String, owner: Option<Owner>) -> Self {
        debug_assert!(!full.is_empty(), "every part is written as something");
        let cut = (full.len() > Self::MAX_TEXT).then(|| Cut {
            text: bound(&full).into(),
            namespace: bound(first_segment(&full)).into(),
        });
        Self(Arc::new(Inner { full, cut, owner }))
    }
}

/// Writes a part as one more segment.
#[inline]
fn push_segment<P: KeyPart + ?Sized>(part: &P, text: &mut String) {
    if !text.is_empty() {
        text.push_str(SEPARATOR);
    }
    encode_part(part, text);
}

fn first_segment(full: &str) -> &str {
    full.split_once(SEPARATOR).map_or(full, |(first, _)| first)
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text().cmp(other.text())
    }
}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

/// Maps by `Key` can be asked by its text.
impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.text()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.text())
    }
}
