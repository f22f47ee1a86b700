//! Argument lists of functions whose calls can be forgotten by some of the arguments.
//!
//! What a near cache looks up is the list alone; scopes are made on the way to a store.

use std::hash::Hasher;

use super::{KeyParts, Segments};

/// Arguments, and those among them by which calls can be forgotten together.
#[derive(Debug)]
pub struct Scoped<A, S> {
    arguments: A,
    scopes: S,
}

impl<A: KeyParts, S: Scopes> Scoped<A, S> {
    /// The list `arguments`, with these scopes.
    pub fn new(arguments: A, scopes: S) -> Self {
        Self { arguments, scopes }
    }
}

/// A list of scopes: `()`, or `((bits, arguments), list)`. The bits tell which arguments they are.
pub trait Scopes {
    /// Adds each, with the text of its arguments.
    fn add_to(&self, found: &mut Vec<(u64, String)>);
}

impl Scopes for () {
    fn add_to(&self, _: &mut Vec<(u64, String)>) {}
}

impl<P: KeyParts, Rest: Scopes> Scopes for ((u64, P), Rest) {
    fn add_to(&self, found: &mut Vec<(u64, String)>) {
        let ((bits, arguments), rest) = self;
        found.push((*bits, text_of(arguments)));
        rest.add_to(found);
    }
}

/// The text of these arguments.
pub(crate) fn text_of(arguments: &dyn Segments) -> String {
    let mut text = String::new();
    arguments.encode_each(&mut text);
    text
}

impl<A: Segments, S: Scopes> Segments for Scoped<A, S> {
    fn encode_each(&self, text: &mut String) {
        self.arguments.encode_each(text);
    }

    fn scopes(&self) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        self.scopes.add_to(&mut found);
        found
    }
}

impl<A: KeyParts, S: Scopes> KeyParts for Scoped<A, S> {
    type Identities = A::Identities;

    #[inline]
    fn identities(&self) -> Self::Identities {
        self.arguments.identities()
    }

    #[inline]
    fn hash_identities<H: Hasher>(&self, state: &mut H) {
        self.arguments.hash_identities(state);
    }

    #[inline]
    fn are_identities(&self, identities: &Self::Identities) -> bool {
        self.arguments.are_identities(identities)
    }
}
