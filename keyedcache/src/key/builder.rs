//! Builds a key part by part; named parts go, sorted, behind the others.

use std::marker::PhantomData;

use super::encode::encode_text;
use super::{Key, KeyPart, SEPARATOR, USUAL_TEXT, push_segment};

/// A key that is being put together. Begun by [`Key::builder`].
///
/// The parameter says whether it has a part yet: only then is there a [`build`](Self::build).
#[derive(Clone, Debug)]
#[must_use]
pub struct KeyBuilder<State = HasParts> {
    /// The segments that have no name.
    text: String,
    named: Vec<Named>,
    state: PhantomData<State>,
}

/// State of a [`KeyBuilder`] that cannot be built yet.
#[derive(Clone, Copy, Debug)]
pub enum NoParts {}

/// State of a [`KeyBuilder`] with at least one part.
#[derive(Clone, Copy, Debug)]
pub enum HasParts {}

#[derive(Clone, Debug)]
struct Named {
    name: String,
    /// Its two segments, as they will stand in the key.
    text: String,
}

impl KeyBuilder<NoParts> {
    pub(super) fn new() -> Self {
        Self { text: String::with_capacity(USUAL_TEXT), named: Vec::new(), state: PhantomData }
    }
}

impl<State> KeyBuilder<State> {
    /// Adds a segment.
    pub fn part<P: KeyPart + ?Sized>(mut self, part: &P) -> KeyBuilder {
        push_segment(part, &mut self.text);
        self.filled()
    }

    /// Adds a named part: two segments, name and value, behind all parts without a name and in the
    /// order of the names.
    ///
    /// The same name twice gives both, in the order in which they were added.
    pub fn named<P: KeyPart + ?Sized>(mut self, name: &str, value: &P) -> KeyBuilder {
        let mut text = String::new();
        encode_text(name, &mut text);
        push_segment(value, &mut text);
        self.named.push(Named { name: name.to_owned(), text });
        self.filled()
    }

    fn filled(self) -> KeyBuilder {
        KeyBuilder { text: self.text, named: self.named, state: PhantomData }
    }
}

impl KeyBuilder {
    /// The key of the parts added.
    #[must_use]
    pub fn build(self) -> Key {
        let Self { mut text, mut named, .. } = self;
        named.sort_by(|one, other| one.name.cmp(&other.name));
        for part in &named {
            if !text.is_empty() {
                text.push_str(SEPARATOR);
            }
            text.push_str(&part.text);
        }
        Key::of_text(text)
    }
}
